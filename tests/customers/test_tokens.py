"""Tokens of apps: exchanged once, revoked by their owner, deleted when expired."""

from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from apps.customers import accounts, tokens
from apps.customers.tasks import flush_expired_tokens
from apps.customers.tokens import RefreshRefused
from apps.fastpath import bearer_token
from storefront.celery import app
from tests.api.conftest import Api, problem
from tests.factories import PASSWORD, make_alice, make_bob, make_clerk
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def is_accepted(access):
    """Whether the API accepts the access token."""
    return Api().get("/me/", Authorization=f"Bearer {access}").status_code == 200


def is_refused(refresh):
    try:
        tokens.rotate(refresh)
    except RefreshRefused:
        return True
    return False


def a_while_later():
    """Move all exchanges back by more than SAME_MOMENT."""
    earlier = timezone.now() - tokens.SAME_MOMENT - timedelta(seconds=1)
    BlacklistedToken.objects.update(blacklisted_at=earlier)


# --- One exchange -------------------------------------------------------------------------------


def test_refresh_token_is_exchanged_for_the_next_one(alice):
    first = tokens.issue(alice)

    second = tokens.rotate(first["refresh"])
    third = tokens.rotate(second["refresh"])

    assert len({pair["refresh"] for pair in (first, second, third)}) == 3
    assert all(is_accepted(pair["access"]) for pair in (first, second, third))


def test_exchanged_token_is_refused(alice):
    first = tokens.issue(alice)
    second = tokens.rotate(first["refresh"])

    assert is_refused(first["refresh"])
    assert not is_refused(second["refresh"]), "two concurrent requests do not end the family"


def test_exchanged_token_that_is_used_later_ends_its_family(alice):
    """The thief exchanged it first, or the owner did: the one with its successor must sign in."""
    stolen = tokens.issue(alice)["refresh"]
    of_the_thief = tokens.rotate(stolen)
    next_of_the_thief = tokens.rotate(of_the_thief["refresh"])
    another_device = tokens.issue(alice)
    a_while_later()

    assert is_refused(stolen)

    assert is_refused(next_of_the_thief["refresh"])
    assert not is_refused(another_device["refresh"])


def test_api_exchanges_once(api_of_alice):
    api, pair = api_of_alice

    answer = api.post("/auth/token/refresh/", {"refresh": pair["refresh"]})
    again = api.post("/auth/token/refresh/", {"refresh": pair["refresh"]})

    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}
    assert answer.json()["refresh"] != pair["refresh"]
    problem(again, 401, "authentication_failed")
    assert (
        api.post("/auth/token/refresh/", {"refresh": answer.json()["refresh"]}).status_code == 200
    )


@pytest.fixture
def api_of_alice(alice):
    api = Api()
    return api, api.post("/auth/token/", {"email": alice.email, "password": PASSWORD}).json()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_exchanges_at_once_one_wins():
    alice = make_alice()
    for _ in range(5):
        refresh = tokens.issue(alice)["refresh"]

        won = at_once(4, lambda _, refresh=refresh: tokens.rotate(refresh))

        pairs = [pair for pair in won if not isinstance(pair, RefreshRefused)]
        assert len(pairs) == 1
        assert not is_refused(pairs[0]["refresh"]), "the winner's token is valid"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_more_than_one_would_win(monkeypatch):
    """The control: all four read, and find the token not exchanged."""
    alice = make_alice()
    refresh = tokens.issue(alice)["refresh"]
    all_read = Barrier(4, timeout=60)

    def unlocked(user_id):
        all_read.wait()
        return type(alice).objects.filter(pk=user_id).first()

    def mark_nothing(*, token):
        all_read.wait()

    monkeypatch.setattr(tokens, "_locked", unlocked)
    monkeypatch.setattr(tokens.BlacklistedToken.objects, "create", mark_nothing)

    won = at_once(4, lambda _: tokens.rotate(refresh))

    assert len([pair for pair in won if isinstance(pair, dict)]) == 4


def test_token_without_a_row_is_exchanged_once(alice):
    """Tokens from before rows were kept stay valid; simplejwt's own ids have no family."""
    old = RefreshToken()
    old["user_id"] = str(alice.pk)
    old["hash_password"] = tokens.digest_of(alice)
    assert not OutstandingToken.objects.exists()

    following = tokens.rotate(str(old))
    a_while_later()

    assert is_accepted(following["access"])
    assert is_refused(str(old))
    assert is_refused(following["refresh"])


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_garbage_is_refused_and_revoked_without_an_error(text):
    assert is_refused(text)
    tokens.revoke(text)


@pytest.mark.parametrize(
    "claims",
    [{"user_id": "x"}, {"user_id": str(2**70)}, {"user_id": "-1"}, {"hash_password": None}],
)
def test_token_without_a_valid_account_is_refused(alice, claims):
    token = RefreshToken()
    token.payload |= {"user_id": str(alice.pk), "hash_password": tokens.digest_of(alice)} | claims

    assert is_refused(str(token))
    tokens.revoke(str(token))


def test_access_token_is_not_exchanged(alice):
    assert is_refused(tokens.issue(alice)["access"])


def test_database_holds_no_usable_token(alice):
    pair = tokens.issue(alice)
    following = tokens.rotate(pair["refresh"])

    kept = "".join(str(row) for row in OutstandingToken.objects.values_list())
    for text in (*pair.values(), *following.values()):
        assert text not in kept
        assert text.rpartition(".")[2] not in kept, "nor its signature"


# --- Signing out --------------------------------------------------------------------------------


def test_app_signs_out(api_of_alice, alice):
    api, pair = api_of_alice
    another_device = tokens.issue(alice)
    following = tokens.rotate(pair["refresh"])

    answer = api.post("/auth/token/revoke/", {"refresh": following["refresh"]})

    assert (answer.status_code, answer.content) == (204, b"")
    assert is_refused(following["refresh"])
    assert not is_refused(another_device["refresh"])


def test_app_whose_answer_was_lost_signs_out_with_its_old_token(alice):
    pair = tokens.issue(alice)
    lost = tokens.rotate(pair["refresh"])

    tokens.revoke(pair["refresh"])

    assert is_refused(lost["refresh"])


def test_revoking_an_invalid_token_is_no_error(api_of_alice):
    api, pair = api_of_alice
    for text in (pair["refresh"], pair["refresh"], pair["access"], "a.b.c"):
        assert api.post("/auth/token/revoke/", {"refresh": text}).status_code == 204
    for body in ({}, {"refresh": ""}, {"refresh": 7}, {"refresh": ["a"]}):
        problem(api.post("/auth/token/revoke/", body), 400, "invalid")


def test_signing_out_everywhere_ends_browsers_and_apps():
    alice, bob = make_alice(), make_bob()
    here, there, bobs = Client(), Client(), Client()
    here.force_login(alice)
    there.force_login(alice)
    bobs.force_login(bob)
    phone, bobs_phone = tokens.issue(alice), tokens.issue(bob)

    answer = here.post("/account/logout/everywhere/")

    assert answer["Location"] == "/account/login/"
    assert "signed out, here and on every other" in here.get("/account/login/").content.decode()
    assert here.get("/account/").status_code == there.get("/account/").status_code == 302
    assert not is_accepted(phone["access"])
    assert is_refused(phone["refresh"])
    assert bobs.get("/account/").status_code == 200
    assert is_accepted(bobs_phone["access"])


def test_signing_in_again_works_as_often_as_one_signs_out(client):
    alice = make_alice()
    for _ in range(3):
        client.post("/account/login/", {"email": alice.email, "password": PASSWORD})
        alice.refresh_from_db()
        phone = tokens.issue(alice)
        assert client.get("/account/").status_code == 200
        assert is_accepted(phone["access"])

        client.post("/account/logout/everywhere/")

        assert client.get("/account/").status_code == 302
        assert not is_accepted(phone["access"])


def test_signing_out_everywhere_needs_a_post_and_an_account(client):
    assert client.post("/account/logout/everywhere/")["Location"].startswith("/account/login/")
    alice = make_alice()
    client.force_login(alice)

    assert client.get("/account/logout/everywhere/").status_code == 405

    assert client.get("/account/").status_code == 200
    assert "/account/logout/everywhere/" in client.get("/account/profile/").content.decode()


def test_new_password_ends_every_token_exchanged_or_not(alice):
    pair = tokens.issue(alice)
    following = tokens.rotate(pair["refresh"])
    alice.set_password("cold-toast-warm-tea")
    alice.save()

    assert is_refused(following["refresh"])
    assert is_refused(pair["refresh"])
    assert not is_accepted(following["access"])


# --- What it costs ------------------------------------------------------------------------------


def test_access_token_costs_one_query_in_django_and_none_before_it(alice):
    access = tokens.issue(alice)["access"]

    with CaptureQueriesContext(connection) as in_django:
        assert is_accepted(access)
    with CaptureQueriesContext(connection) as before_django:
        claim = bearer_token.read(f"Bearer {access}")
    with CaptureQueriesContext(connection) as at_the_order:
        assert accounts.still_signed_in([claim]) == {claim}

    assert len([q for q in in_django if "customers_user" in q["sql"]]) == 1
    assert not [q for q in in_django if "token_blacklist" in q["sql"]]
    assert len(before_django) == 0
    assert len(at_the_order) == 1


def test_tokens_for_orders_end_with_signing_out_everywhere(alice):
    claim = bearer_token.read(f"Bearer {tokens.issue(alice)['access']}")
    assert accounts.still_signed_in([claim]) == {claim}

    accounts.sign_out_everywhere(alice)

    assert accounts.still_signed_in([claim]) == set()
    alice.refresh_from_db()
    again = bearer_token.read(f"Bearer {tokens.issue(alice)['access']}")
    assert accounts.still_signed_in([again, claim]) == {again}


def test_access_token_made_by_simplejwt_is_accepted(alice):
    """For an account that never signed out everywhere: tokens from before an update stay valid."""
    assert is_accepted(str(AccessToken.for_user(alice)))


# --- Deleting ---------------------------------------------------------------------------------


def test_expired_tokens_are_deleted_and_others_are_not(alice):
    old, young = tokens.issue(alice), tokens.issue(alice)
    tokens.rotate(old["refresh"])
    gone = OutstandingToken.objects.order_by("pk").first()
    OutstandingToken.objects.filter(pk=gone.pk).update(expires_at=timezone.now())

    flush_expired_tokens()

    assert not OutstandingToken.objects.filter(pk=gone.pk).exists()
    assert OutstandingToken.objects.count() == 2
    assert not BlacklistedToken.objects.exists()
    assert not is_refused(young["refresh"])


def test_deletion_is_scheduled():
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert flush_expired_tokens.name in scheduled


def test_back_office_shows_no_tokens(client):
    client.force_login(make_clerk())

    assert client.get("/admin/token_blacklist/outstandingtoken/").status_code == 404
    assert client.get("/admin/token_blacklist/blacklistedtoken/").status_code == 404
    assert "blacklist" not in client.get("/admin/").content.decode().lower()
