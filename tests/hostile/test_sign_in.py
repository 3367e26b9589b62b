"""Guessing passwords: limited by address and by account on every way in, and it reveals nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import rate_limits
from apps.web.tasks import send_password_reset
from apps.web.views.account import password_reset
from tests.api.conftest import Api, problem
from tests.factories import PASSWORD, make_alice, make_clerk

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Any]


def by_page(email, password, address="192.0.2.1"):
    return Client(REMOTE_ADDR=address).post(
        "/account/login/", {"email": email, "password": password}
    )


def by_admin(email, password, address="192.0.2.1"):
    return Client(REMOTE_ADDR=address).post(
        "/admin/login/?next=/admin/", {"username": email, "password": password}
    )


def by_api(email, password, address="192.0.2.1"):
    return Api(address).post("/auth/token/", {"email": email, "password": password})


WAYS = [by_page, by_admin, by_api]
ACCEPTED, REFUSED = (200, 302), (200, 400, 401)


def is_in(answer):
    """Whether the answer signed the client in."""
    return answer.status_code == 302 or b'"access"' in answer.content


@pytest.fixture
def clerk(db):
    """A user who can sign in by page, admin and API."""
    return make_clerk()


@pytest.mark.parametrize("sign_in", WAYS)
def test_account_is_guessed_slowly_wherever_from(clerk, sign_in):
    limit = rate_limits.LOGINS_OF_ACCOUNT.amount

    tries = [sign_in(clerk.email, "wrong", f"192.0.2.{number}") for number in range(limit + 1)]

    assert not any(map(is_in, tries))
    assert {answer.status_code for answer in tries[:-1]} <= set(REFUSED)
    assert tries[-1].status_code == 429
    assert 1 <= int(tries[-1]["Retry-After"]) <= 60
    right = sign_in(clerk.email, PASSWORD, "192.0.2.99")
    assert right.status_code == 429, "the right password reveals nothing now"


@pytest.mark.parametrize("sign_in", WAYS)
def test_address_guesses_slowly_whichever_account(clerk, sign_in):
    for _ in range(rate_limits.LOGINS_OF_ADDRESS.amount):
        rate_limits.count(rate_limits.LOGINS_OF_ADDRESS, "192.0.2.1")

    assert sign_in("new@example.com", "wrong").status_code == 429
    assert is_in(sign_in(clerk.email, PASSWORD, "192.0.2.2"))


def test_three_ways_have_one_count(clerk):
    for number in range(rate_limits.LOGINS_OF_ACCOUNT.amount):
        WAYS[number % 3](clerk.email, "wrong", f"192.0.2.{number}")

    assert [sign_in(clerk.email, PASSWORD, "198.51.100.1").status_code for sign_in in WAYS] == [
        429
    ] * 3


@pytest.mark.parametrize("spelled", ["CLERK@kettleandpine.example", " {} ", "ｃ{}"])
def test_account_has_one_count_however_it_is_spelled(clerk, spelled):
    name = spelled.replace("ｃ{}", "ｃ" + clerk.email[1:]).replace("{}", clerk.email)
    name = name.replace("CLERK@kettleandpine.example", clerk.email.upper())
    for number in range(rate_limits.LOGINS_OF_ACCOUNT.amount):
        by_admin(name, "wrong", f"192.0.2.{number}")

    assert by_admin(clerk.email, PASSWORD, "198.51.100.1").status_code == 429


@pytest.mark.parametrize("sign_in", WAYS)
def test_right_password_resets_the_count(clerk, sign_in):
    for _ in range(3):
        for _ in range(rate_limits.LOGINS_OF_ACCOUNT.amount - 1):
            sign_in(clerk.email, "wrong", "192.0.2.1")
        rate_limits.forget(rate_limits.LOGINS_OF_ADDRESS, "192.0.2.1")
        assert is_in(sign_in(clerk.email, PASSWORD, "192.0.2.1"))


@pytest.mark.parametrize("sign_in", [by_page, by_admin])
def test_limit_is_a_page_that_people_can_read(clerk, sign_in):
    for number in range(rate_limits.LOGINS_OF_ACCOUNT.amount):
        sign_in(clerk.email, "wrong", f"192.0.2.{number}")

    page = sign_in(clerk.email, "wrong")

    assert page.status_code == 429
    assert "Slowly, please." in page.content.decode()


@pytest.mark.parametrize(
    ("path", "limit"),
    [("/account/register/", rate_limits.REGISTRATIONS_OF_ADDRESS),
     ("/account/password/reset/", rate_limits.RESETS_OF_ADDRESS),
     ("/account/password/new/MQ/x-y/", rate_limits.LOGINS_OF_ADDRESS)],
)  # fmt: skip
def test_other_forms_are_limited_by_address(client, path, limit):
    for _ in range(limit.amount):
        rate_limits.count(limit, "127.0.0.1")

    answer = client.post(path, {"email": "a@example.com"})

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1


def test_stolen_session_cannot_guess_the_present_password(client):
    alice = make_alice()
    client.force_login(alice)
    guess = {"which": "password", "new_password1": "x", "new_password2": "x"}

    codes = [
        client.post("/account/profile/", guess | {"old_password": f"wrong{n}"}).status_code
        for n in range(rate_limits.LOGINS_OF_ACCOUNT.amount + 1)
    ]

    assert set(codes[:-1]) == {400}
    assert codes[-1] == 429


# --- It reveals nothing--------------------------------------------------------------------------


@pytest.fixture
def hashed(monkeypatch):
    """The passwords that were hashed: hashing takes most of a sign-in's time."""
    seen = []
    encode = MD5PasswordHasher.encode

    def watched(self, password, salt):
        seen.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", watched)
    return seen


@pytest.mark.parametrize("sign_in", WAYS)
def test_unknown_and_known_accounts_read_and_take_the_same(clerk, hashed, sign_in):
    closed = make_alice(is_active=False)
    answers, work = [], []
    for email in ("nobody@example.com", clerk.email, closed.email):
        hashed.clear()
        answer = sign_in(email, "wrong")
        work.append(len(hashed))
        body = answer.content.decode().replace(email, "…")
        answers.append((answer.status_code, len(body)))

    assert len(set(answers)) == 1, answers
    assert work == [1, 1, 1]


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_password_reset_asks_a_worker_whether_there_is_such_an_account(client, monkeypatch, email):
    make_alice()
    asked = []
    monkeypatch.setattr(send_password_reset, "apply_async", lambda args, **_: asked.append(args))

    with CaptureQueriesContext(connection) as queries:
        answer = client.post("/account/password/reset/", {"email": email})

    assert "Look into your mail." in answer.content.decode()
    assert asked == [(email,)]
    assert not [query for query in queries if "customers_user" in query["sql"]]


def test_unavailable_broker_gives_everybody_the_same_answer(client, monkeypatch):
    make_alice()

    def away(*_, **__):
        raise password_reset.BrokerUnavailable

    monkeypatch.setattr(send_password_reset, "apply_async", away)

    for email in ("alice@example.com", "nobody@example.com"):
        answer = client.post("/account/password/reset/", {"email": email})
        assert answer.status_code == 503
        assert answer["Retry-After"] == "5"


# --- Tokens end with the password ---------------------------------------------------------------


def test_changed_password_ends_an_apps_tokens():
    alice = make_alice()
    tokens = by_api(alice.email, PASSWORD).json()
    api = Api()
    api.headers["Authorization"] = f"Bearer {tokens['access']}"
    assert api.get("/me/").status_code == 200

    alice.set_password("cold-toast-warm-tea")
    alice.save()

    problem(api.get("/me/"), 401, "authentication_failed")
    del api.headers["Authorization"]
    refused = api.post("/auth/token/refresh/", {"refresh": tokens["refresh"]})
    problem(refused, 401, "authentication_failed")


def test_yesterdays_key_opens_sessions_and_signs_them_anew(settings):
    alice, browsers = make_alice(), [Client(), Client()]
    for browser in browsers:
        browser.force_login(alice)
    came_back, stayed_away = browsers

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "today" * 12
    assert came_back.get("/account/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []

    assert came_back.get("/account/").status_code == 200
    assert stayed_away.get("/account/").status_code == 302
