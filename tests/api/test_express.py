"""A plain checkout does not pass through Django, and hears the same to the letter."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken

from apps.api.auth import tokens_for
from apps.api.express import Express
from apps.catalog.models import Variant
from apps.customers.models import User
from apps.orders import intake
from apps.orders.errors import Overloaded
from apps.orders.models import Order
from storefront import in_front, rate_limits
from storefront.wsgi import application, shop
from tests import in_front as in_front_requests
from tests.factories import ADDRESS, a_mug
from tests.in_front import Behind
from tests.orders.checkouts import open_shop
from tests.orders.purchases import committed_database

__all__ = ["committed_database", "open_shop"]

pytestmark = pytest.mark.usefixtures("open_shop")

Answer = tuple[str, dict[str, str], Any]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def mug(open_shop: None) -> Variant:
    return a_mug(stock=100)


@pytest.fixture
def body(mug: Variant) -> dict[str, Any]:
    return {
        "lines": [{"sku": mug.sku, "quantity": 1}],
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    }


def request(body: Any, *, key: str = "k", **changes: str) -> dict[str, Any]:
    given = {"HTTP_IDEMPOTENCY_KEY": key} | changes
    return in_front_requests.request("/api/v1/checkouts/", body, **given)


def answer(way: Any, environ: dict[str, Any]) -> Answer:
    status, headers, text = in_front_requests.answer(way, environ)
    return status, headers, json.loads(text) if text else None


def both(behind: Behind, make: Callable[[str], dict[str, Any]]) -> tuple[Answer, Answer]:
    """The answers past Django and through it, to two requests that differ only in the key."""
    quick = answer(Express(behind), make("a"))
    assert behind.times == 0, "this was not answered in front of Django"
    return quick, answer(shop, make("b"))


def test_order_is_accepted_without_django_and_in_the_same_words(
    behind: Behind, body: dict[str, Any]
) -> None:
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick[0] == slow[0] == "202 Accepted"
    first, second = quick[2]["order"], slow[2]["order"]
    assert (first["status"], first["total"]) == (second["status"], second["total"])
    of_this_order = {"Location", "Content-Length"}
    assert _without(quick[1], of_this_order) == _without(slow[1], of_this_order)
    assert quick[1]["Location"] == quick[2]["links"]["self"]
    for name, link in quick[2]["links"].items():
        told = link.replace(first["id"], second["id"]).replace(first["token"], second["token"])
        assert told == slow[2]["links"][name]
    assert Order.objects.count() == 2


def test_same_key_is_replayed_whichever_way_it_comes(behind: Behind, body: dict[str, Any]) -> None:
    first = answer(Express(behind), request(body))
    quick, slow = answer(Express(behind), request(body)), answer(shop, request(body))

    assert behind.times == 0
    assert quick == slow
    assert quick[1]["Idempotent-Replayed"] == "true"
    assert quick[2] == first[2]
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": [{"sku": "NO-SUCH-SKU", "quantity": 1}]},
        {"expected_total": {"amount": "1.00", "currency": "USD"}},
        {"promo_code": "NO-SUCH-CODE"},
        {"shipping_method": "by-owl"},
    ],
    ids=str,
)
def test_refusal_is_the_same(behind: Behind, body: dict[str, Any], changes: dict[str, Any]) -> None:
    quick, slow = both(behind, lambda key: request(body | changes, key=key))

    assert quick == slow
    assert quick[0][0] == "4"
    assert not Order.objects.exists()


def test_sold_out_is_the_same(behind: Behind, body: dict[str, Any], mug: Variant) -> None:
    rare = a_mug(stock=0)
    body["lines"] = [{"sku": mug.sku, "quantity": 1}, {"sku": rare.sku, "quantity": 1}]
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0] == "409 Conflict"
    assert quick[2]["errors"][0]["field"] == rare.sku


def test_key_for_another_body_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    answer(Express(behind), request(body))
    other = body | {"email": "bob@example.com"}
    quick, slow = answer(Express(behind), request(other)), answer(shop, request(other))

    assert behind.times == 0
    assert quick == slow
    assert quick[0].startswith("422")


@pytest.mark.parametrize("error", [Overloaded(retry_after=2), RuntimeError("a defect")], ids=repr)
def test_trouble_behind_is_the_same(
    behind: Behind, body: dict[str, Any], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trouble(asked: object) -> None:
        raise error

    monkeypatch.setattr(intake, "place_order", trouble)
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0][:3] in ("503", "500")


def test_who_comes_too_often_hears_the_same(
    behind: Behind, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    few = (rate_limits.Limit("few-checkouts", 1, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", few)
    assert answer(Express(behind), request(body, key="first"))[0] == "202 Accepted"

    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0] == "429 Too Many Requests"
    assert quick[1]["RateLimit-Limit"] == "1"
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST_METHOD": "GET"},
        {"HTTP_COOKIE": "sessionid=somebody"},
        {"QUERY_STRING": "x=%00"},
        {"CONTENT_TYPE": "text/plain"},
        {"CONTENT_TYPE": "absent"},
        {"CONTENT_LENGTH": "70000"},
        {"CONTENT_LENGTH": "²"},
        {"CONTENT_LENGTH": "absent"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_IDEMPOTENCY_KEY": "absent"},
        {"HTTP_IDEMPOTENCY_KEY": "with a space"},
        {"PATH_INFO": "/api/v1/checkouts"},
    ],
    ids=str,
)
def test_whatever_is_not_plain_is_left_to_django_as_it_was(
    behind: Behind, body: dict[str, Any], changes: dict[str, str]
) -> None:
    through = answer(Express(behind), request(body, **changes))

    assert behind.times == 1
    again = answer(shop, request(body, **changes))
    assert through[0] == again[0]
    assert through[0][0] == "2" or through == again  # the second of two orders is a replay


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b'{"lines": [], "lines": []}',
        b'{"cart": "01a218ad-0a1c-70fd-9044-9e6ec747df75"}',
        b'{"lines": [{"sku": "MUG", "quantity": "1e9"}]}',
        b'{"card_number": "4242424242424242"}',
        b'{"email": "\\u0000"}',
    ],
    ids=repr,
)
def test_mistakes_are_left_to_django_with_the_whole_body(behind: Behind, sent: bytes) -> None:
    through = answer(Express(behind), request(sent))

    assert behind.times == 1
    assert through == answer(shop, request(sent))
    assert through[0][0] == "4"


def test_mistake_is_counted_once(
    behind: Behind, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    two = (rate_limits.Limit("two-checkouts", 2, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", two)

    first, second = (answer(Express(behind), request(b"{", key=key))[0] for key in "ab")

    assert (first, second) == ("400 Bad Request", "400 Bad Request")


def test_over_https_it_says_so(
    behind: Behind, body: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    monkeypatch.setattr(in_front, "policies", in_front.policies.__wrapped__)

    made = answer(Express(behind), request(body, **{"wsgi.url_scheme": "https"}))

    assert made[1]["Strict-Transport-Security"] == "max-age=60"
    assert made[2]["links"]["self"].startswith("https://127.0.0.1:8000/")


def test_without_https_django_leads_over_to_it(
    behind: Behind, body: dict[str, Any], settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    in_front._origin.cache_clear()
    answer(Express(behind), request(body))
    in_front._origin.cache_clear()

    assert behind.times == 1


def test_real_server_has_this_way(body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.core.handlers.wsgi.WSGIHandler.__call__", _nobody)

    assert answer(application, request(body))[0] == "202 Accepted"


# --- Signed in by a token -------------------------------------------------------------------------


def bearer_of(user: User) -> str:
    return f"Bearer {tokens_for(user)['access']}"


def test_signed_in_order_is_hers_and_in_the_same_words(
    behind: Behind, body: dict[str, Any], alice: User
) -> None:
    hers = bearer_of(alice)
    quick, slow = both(behind, lambda key: request(body, key=key, HTTP_AUTHORIZATION=hers))

    assert quick[0] == slow[0] == "202 Accepted"
    of_this_order = {"Location", "Content-Length"}
    assert _without(quick[1], of_this_order) == _without(slow[1], of_this_order)
    assert [order.user for order in Order.objects.all()] == [alice, alice]


def test_key_of_the_signed_in_is_her_own(behind: Behind, body: dict[str, Any], alice: User) -> None:
    """Replayed whichever way it comes, and another order than a guest's or Bob's of this key."""
    first = answer(Express(behind), request(body, HTTP_AUTHORIZATION=bearer_of(alice)))
    quick = answer(Express(behind), request(body, HTTP_AUTHORIZATION=bearer_of(alice)))
    slow = answer(shop, request(body, HTTP_AUTHORIZATION=bearer_of(alice)))
    bob = User.objects.create_user("bob@example.com", "a long enough password")

    assert quick == slow
    assert quick[1]["Idempotent-Replayed"] == "true"
    assert quick[2] == first[2]
    for another in (request(body), request(body, HTTP_AUTHORIZATION=bearer_of(bob))):
        assert answer(Express(behind), another)[2]["order"]["id"] != first[2]["order"]["id"]
    assert behind.times == 0
    assert set(Order.objects.values_list("user__email", flat=True)) == {
        "alice@example.com",
        "bob@example.com",
        None,
    }


def test_account_that_comes_too_often_hears_the_same(
    behind: Behind,
    body: dict[str, Any],
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.RATE_LIMITS = True
    few = (rate_limits.Limit("few-checkouts-user", 1, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.user_limits", few)
    hers = bearer_of(alice)
    elsewhere = {"HTTP_AUTHORIZATION": hers, "REMOTE_ADDR": "192.0.2.7"}
    assert answer(Express(behind), request(body, key="1", **elsewhere))[0] == "202 Accepted"

    quick, slow = both(behind, lambda key: request(body, key=key, HTTP_AUTHORIZATION=hers))

    assert quick == slow
    assert quick[0] == "429 Too Many Requests"
    assert answer(Express(behind), request(body, key="guest"))[0] == "202 Accepted"
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "Bearer",
        lambda _: "Bearer somebody",
        lambda _: "Bearer \xe9",
        lambda _: "Basic YTpi",
        lambda user: bearer_of(user) + "x",
        lambda user: bearer_of(user) + " x",
        lambda user: bearer_of(user).replace("Bearer", "bearer"),
        lambda user: f"Bearer {tokens_for(user)['refresh']}",
        lambda user: f"Bearer {_token(user, exp=1)}",
        lambda user: f"Bearer {_token(user, user_id=None)}",
        lambda user: f"Bearer {_token(user, user_id=0)}",
        lambda user: f"Bearer {_token(user, hash_password='')}",
    ],
)
def test_token_that_is_not_good_is_left_to_django(
    behind: Behind, body: dict[str, Any], alice: User, spoil: Callable[[User], str]
) -> None:
    environ = {"HTTP_AUTHORIZATION": spoil(alice)}
    through = answer(Express(behind), request(body, **environ))

    assert behind.times == 1
    again = answer(shop, request(body, **environ))
    assert through[0] == again[0]
    assert through[0][0] == "2" or through == again
    assert through[0][0] in "24"
    assert set(Order.objects.values_list("user", flat=True)) <= {None}


@pytest.mark.parametrize("what", ["password", "closed", "deleted"])
def test_token_ends_with_the_account_and_the_password(
    behind: Behind, body: dict[str, Any], alice: User, what: str
) -> None:
    hers = bearer_of(alice)
    assert answer(Express(behind), request(body, HTTP_AUTHORIZATION=hers))[0] == "202 Accepted"
    Order.objects.update(user=None)
    if what == "password":
        alice.set_password("another long password")
        alice.save()
    elif what == "closed":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    else:
        User.objects.filter(pk=alice.pk).delete()

    refused = answer(Express(behind), request(body, key="again", HTTP_AUTHORIZATION=hers))

    assert refused[0] == "401 Unauthorized"
    assert behind.times == 1
    assert Order.objects.count() == 1


def test_token_that_has_ended_does_not_use_up_the_account(
    behind: Behind,
    body: dict[str, Any],
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    """A thief with yesterday's token could keep her from buying otherwise."""
    settings.RATE_LIMITS = True
    two = (rate_limits.Limit("two-checkouts-user", 2, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.user_limits", two)
    stolen = bearer_of(alice)
    alice.set_password("another long password")
    alice.save()

    for number in range(5):
        environ = {"HTTP_AUTHORIZATION": stolen, "REMOTE_ADDR": "192.0.2.7"}
        refused = answer(Express(behind), request(body, key=str(number), **environ))
        assert refused[0] == "401 Unauthorized"

    hers = request(body, HTTP_AUTHORIZATION=bearer_of(alice))
    assert answer(Express(behind), hers)[0] == "202 Accepted"


def test_silent_database_is_the_same_for_the_signed_in(
    behind: Behind, body: dict[str, Any], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("apps.customers.accounts.prepared.fetch", gone)
    monkeypatch.setattr(JWTAuthentication, "get_user", gone)
    hers = bearer_of(alice)

    quick, slow = both(behind, lambda key: request(body, key=key, HTTP_AUTHORIZATION=hers))

    assert quick == slow
    assert quick[0].startswith("503")


def _token(user: User, **claims: Any) -> AccessToken:
    token = AccessToken.for_user(user)
    for claim, value in claims.items():
        if value is None:
            del token[claim]
        else:
            token[claim] = value
    return token


def _nobody(self: object, environ: object, start_response: object) -> None:
    raise AssertionError("this went through Django")


def _without(headers: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name not in names}
