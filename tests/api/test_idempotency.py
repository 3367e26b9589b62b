"""A POST that is sent again with its Idempotency-Key gets the first answer, and is done once."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone

from apps.api import kept_answers, tasks
from apps.api.models import KeptAnswer
from apps.api.urls import v1
from apps.customers.models import Address, User
from apps.orders.models import Order, Return, Saga
from apps.payments.models import Payment
from tests.api.conftest import Api, problem
from tests.factories import ADDRESS, PASSWORD, a_flash_sale, a_mug, make_bob
from tests.orders.declined import decline

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
NEW = {"email": "carol@example.com", "password": "slow-morning-9", "name": "Carol"}


@pytest.fixture
def guest(api, buy) -> Api:
    """A guest with a delivered order of two mugs."""
    placed = api.checkout(buy(lines=[{"sku": buy()["lines"][0]["sku"], "quantity": 2}]))
    assert placed.status_code == 202, placed.content
    api.headers["X-Order-Token"] = placed.json()["order"]["token"]
    return api


@pytest.fixture
def order(guest) -> Order:
    return Order.objects.get()


@pytest.fixture(
    params=["carts", "register", "addresses", "cancel", "payments", "returns", "waiting room"]
)
def call(request, api, alice, guest, order, mug) -> tuple[Api, str, Any, Any, Callable[[], int]]:
    """(client, path, body, another body, how often it was done) of each call."""
    path = f"/orders/{order.pk}/"
    returned = {"lines": [{"sku": mug.sku, "quantity": 1}], "reason": "too small"}
    match request.param:
        case "carts":
            redis = request.getfixturevalue("carts_redis")
            return api, "/carts/", {}, {"x": 1}, lambda: len(redis.keys("cart:*"))
        case "register":
            other = NEW | {"name": "Karol"}
            accounts = User.objects.filter(email=NEW["email"])
            return Api(), "/auth/register/", NEW, other, accounts.count
        case "addresses":
            other = ADDRESS | {"city": "Salem"}
            return Api().as_user(alice), "/me/addresses/", ADDRESS, other, Address.objects.count
        case "cancel":
            asked = Saga.objects.filter(cancel_requested_at__isnull=False)
            return api, f"{path}cancel/", {}, {"x": 1}, asked.count
        case "payments":
            decline(order)
            tried = Payment.objects.filter(attempt=2)
            other = {"payment_method": "pm_card_mastercard"}
            return api, f"{path}payments/", {"payment_method": "pm_card_visa"}, other, tried.count
        case "returns":
            Order.objects.update(status="DELIVERED")
            other = returned | {"reason": "too large"}
            return api, f"{path}returns/", returned, other, Return.objects.count
        case _:
            a_flash_sale(a_mug(), slug="sale", waiting_room=True)
            return Api(), "/waiting-rooms/sale/", {}, {"x": 1}, lambda: 1


def test_same_key_and_body_get_the_same_answer(call):
    client, path, body, _, done = call
    first = client.post(path, body, Idempotency_Key=KEY)
    assert first.status_code in (201, 202), first.content
    assert "Idempotent-Replayed" not in first
    assert done() == 1

    again = client.post(path, body, Idempotency_Key=KEY)

    assert again["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    kept = {name for name in first.headers if name not in ("Vary", "Idempotent-Replayed")}
    assert {n: again[n] for n in kept} == {n: first[n] for n in kept}
    assert done() == 1


def test_same_key_and_another_body_are_refused(call):
    client, path, body, other, done = call
    client.post(path, body, Idempotency_Key=KEY)

    problem(client.post(path, other, Idempotency_Key=KEY), 422, "idempotency_key_reused")

    assert done() == 1


def test_blanks_and_order_of_fields_do_not_count(call):
    client, path, body, _, done = call
    client.post(path, body, Idempotency_Key=KEY)

    shuffled = json.dumps(dict(reversed(body.items())), indent=4).encode()
    again = client.raw(path, shuffled, Idempotency_Key=KEY)

    assert again["Idempotent-Replayed"] == "true"
    assert done() == 1


def test_without_a_key_nothing_is_kept(call):
    client, path, body, _, _done = call

    assert client.post(path, body).status_code in (201, 202)

    assert not KeptAnswer.objects.exists()


def test_answer_is_kept_without_what_opens_something(call):
    client, path, body, _, _done = call
    answer = client.post(path, body, Idempotency_Key=KEY).json()

    row = KeptAnswer.objects.values().get()
    secrets = [answer.get(name) for name in ("access", "refresh", "token")] + [NEW["password"]]
    assert not [text for text in secrets if text and text in str(row)]
    assert KEY not in str(row)


def test_refusal_leaves_the_key_free(alice):
    client = Api().as_user(alice)
    problem(client.post("/me/addresses/", {}, Idempotency_Key=KEY), 400, "invalid")

    mended = client.post("/me/addresses/", ADDRESS, Idempotency_Key=KEY)

    assert mended.status_code == 201
    assert "Idempotent-Replayed" not in mended
    assert Address.objects.count() == 1


def test_what_fails_in_between_is_rolled_back_with_its_answer(alice, monkeypatch):
    client = Api().as_user(alice)

    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(kept_answers, "keep", full)
        problem(client.post("/me/addresses/", ADDRESS, Idempotency_Key=KEY), 500, "internal_error")
    assert not Address.objects.exists()

    assert client.post("/me/addresses/", ADDRESS, Idempotency_Key=KEY).status_code == 201
    assert Address.objects.count() == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_key_that_is_none_is_refused(alice, key):
    refused = Api().as_user(alice).post("/me/addresses/", ADDRESS, Idempotency_Key=key)

    problem(refused, 400, "idempotency_key_invalid")
    assert not Address.objects.exists()


def test_number_of_any_size_is_compared(alice):
    client = Api().as_user(alice)
    body = ADDRESS | {"strange": 2**70}

    first = client.post("/me/addresses/", body, Idempotency_Key=KEY)

    assert client.post("/me/addresses/", body, Idempotency_Key=KEY).json() == first.json()


# --- Whose key it is ------------------------------------------------------------------------------


def test_key_of_another_customer_opens_nothing(alice):
    bob = make_bob()
    first = Api().as_user(alice).post("/me/addresses/", ADDRESS, Idempotency_Key=KEY)

    others = Api().as_user(bob).post("/me/addresses/", ADDRESS, Idempotency_Key=KEY)

    assert others.status_code == 201
    assert others.json()["id"] != first.json()["id"]
    assert Address.objects.filter(user=bob).count() == 1


def test_key_of_another_guest_opens_no_cart(api, other, carts_redis, db):
    first = api.post("/carts/", Idempotency_Key=KEY).json()

    strangers = other.post("/carts/", Idempotency_Key=KEY).json()

    assert strangers["id"] != first["id"]
    assert strangers["token"] != first["token"]


def test_key_of_another_guest_opens_no_order(guest, order):
    path = f"/orders/{order.pk}/cancel/"
    assert guest.post(path, Idempotency_Key=KEY).status_code == 202

    problem(Api().post(path, Idempotency_Key=KEY), 404, "not_found")
    problem(Api().post(path, Idempotency_Key=KEY, X_Order_Token="0" * 40), 404, "not_found")


def test_key_counts_at_one_address(alice):
    client = Api().as_user(alice)
    first = client.post("/me/addresses/", ADDRESS, Idempotency_Key=KEY)

    elsewhere = client.post("/carts/", Idempotency_Key=KEY)

    assert (first.status_code, elsewhere.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in elsewhere


def test_registration_is_known_from_another_network(db):
    first = Api("192.0.2.1").post("/auth/register/", NEW, Idempotency_Key=KEY)
    again = Api("198.51.100.1").post("/auth/register/", NEW, Idempotency_Key=KEY)

    assert (again.status_code, again.json()) == (201, first.json())
    guessed = NEW | {"password": "slow-morning-8"}
    refused = Api().post("/auth/register/", guessed, Idempotency_Key=KEY)
    problem(refused, 422, "idempotency_key_reused")


def test_signing_out_takes_a_key(alice):
    body = {"refresh": tokens_of(alice)["refresh"]}
    first = Api().post("/auth/token/revoke/", body, Idempotency_Key=KEY)

    again = Api("198.51.100.1").post("/auth/token/revoke/", body, Idempotency_Key=KEY)

    assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
    assert again["Idempotent-Replayed"] == "true"
    assert body["refresh"] not in str(KeptAnswer.objects.values().get())
    other = {"refresh": "another"}
    refused = Api().post("/auth/token/revoke/", other, Idempotency_Key=KEY)
    problem(refused, 422, "idempotency_key_reused")


def test_no_answer_with_tokens_is_kept_of_signing_in_and_staying_signed_in(alice):
    first, second = tokens_of(alice, Idempotency_Key=KEY), tokens_of(alice, Idempotency_Key=KEY)
    assert first["refresh"] != second["refresh"]

    spent = {"refresh": first["refresh"]}
    assert Api().post("/auth/token/refresh/", spent, Idempotency_Key=KEY).status_code == 200
    again = Api().post("/auth/token/refresh/", spent, Idempotency_Key=KEY)

    problem(again, 401, "authentication_failed")  # whoever has the spent token and the key
    assert not KeptAnswer.objects.exists()


def tokens_of(user: User, **headers: str) -> dict[str, str]:
    body = {"email": user.email, "password": PASSWORD}
    answer = Api().post("/auth/token/", body, **headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_answer_is_known_after_a_new_secret_key(api, settings, carts_redis, db):
    first = api.post("/carts/", Idempotency_Key=KEY)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-" * 8

    again = api.post("/carts/", Idempotency_Key=KEY)

    assert again.json() == first.json()
    assert api.get(f"/carts/{first.json()['id']}/", X_Cart_Token=again.json()["token"])


# --- Forgetting -----------------------------------------------------------------------------------


def test_answers_of_yesterday_are_deleted(alice):
    client = Api().as_user(alice)
    client.post("/me/addresses/", ADDRESS, Idempotency_Key="old")
    client.post("/me/addresses/", ADDRESS, Idempotency_Key="new")
    old = kept_answers.name_of(f"user:{alice.pk}", "/api/v1/me/addresses/", "old")
    at = timezone.now() - kept_answers.KEPT_FOR - timedelta(seconds=1)
    KeptAnswer.objects.filter(pk=old).update(created_at=at)

    tasks.forget_answers()

    assert KeptAnswer.objects.count() == 1
    assert not KeptAnswer.objects.filter(pk=old).exists()


def test_beat_forgets(settings):
    assert "api.forget_answers" in {
        entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()
    }


# --- Every call -----------------------------------------------------------------------------------

# Why they need none: apps/api/auth.py. A checkout has the intake's.
OTHER_RULES = {"auth/token/", "auth/token/refresh/", "checkouts/"}


def test_every_post_that_changes_something_takes_a_key():
    posts = {
        str(pattern.pattern): pattern.callback.cls.post
        for pattern in v1
        if hasattr(pattern.callback.cls, "post")
    }

    without = {path for path, post in posts.items() if not hasattr(post, "__wrapped__")}

    assert without == OTHER_RULES
    assert len(posts) > len(OTHER_RULES)


def test_schema_says_which_calls_take_a_key(client, db):
    paths = yaml.safe_load(client.get("/api/schema/").content)["paths"]
    for path, calls in paths.items():
        if "post" not in calls:
            continue
        named = {one["name"] for one in calls["post"].get("parameters", [])}
        takes = re.sub(r"\{\w+\}", "", path.removeprefix("/api/v1/"))
        assert ("Idempotency-Key" in named) == (takes not in OTHER_RULES - {"checkouts/"}), path
        if "Idempotency-Key" in named:
            assert {"409", "422"} <= calls["post"]["responses"].keys(), path
