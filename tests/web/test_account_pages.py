"""Accounts by page: in and out, the address book, and a new password."""

import re

import pytest
from django.core import mail
from django.test import Client

from apps.customers.models import Address, User
from apps.notifications import delivery
from apps.web.tasks import send_password_reset
from tests.factories import ADDRESS, PASSWORD, AddressFactory, make_alice, make_bob

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


def sign_in(browser: Client, email: str = "alice@example.com", password: str = PASSWORD, **more):
    return browser.post("/account/login/", {"email": email, "password": password} | more)


def test_account_is_opened_and_entered(browser: Client) -> None:
    answer = browser.post(
        "/account/register/",
        {"name": "Cleo Clay", "email": "Cleo@Example.com", "password": "three-slow-kettles"},
    )

    assert answer["Location"] == "/account/"
    assert User.objects.get().email == "cleo@example.com"
    assert "Good morning, Cleo." in browser.get("/account/").content.decode()


def test_taken_address_is_said_beside_the_field(browser: Client) -> None:
    make_alice()

    answer = browser.post(
        "/account/register/", {"email": "ALICE@example.com", "password": "three-slow-kettles"}
    )

    assert answer.status_code == 400
    assert "already an account" in answer.content.decode()
    assert 'value="ALICE@example.com"' in answer.content.decode()


def test_weak_password_is_refused(browser: Client) -> None:
    answer = browser.post("/account/register/", {"email": "a@example.com", "password": "password"})

    assert answer.status_code == 400
    assert not User.objects.exists()


def test_wrong_password_and_unknown_address_read_the_same(browser: Client) -> None:
    make_alice()

    wrong = sign_in(browser, password="nope").content.decode()
    unknown = sign_in(browser, email="nobody@example.com", password="nope").content.decode()

    for page in (wrong, unknown):
        assert "The two do not belong together." in page


def test_session_id_from_before_the_login_is_worth_nothing(browser: Client) -> None:
    make_alice()
    browser.get("/account/login/")
    session = browser.session
    session["mark"] = 1
    session.save()
    fixed = session.session_key

    sign_in(browser)

    assert browser.session.session_key != fixed
    thief = Client()
    thief.cookies["sessionid"] = fixed
    assert thief.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https:evil.example", "\\evil", "/\\evil", "https://evil.example/",
             "javascript:alert(1)", "/\t/evil.example", "evil", ""],
)  # fmt: skip
def test_next_leads_nowhere_else(browser: Client, goal: str) -> None:
    make_alice()

    assert sign_in(browser, next=goal)["Location"] == "/account/"


def test_next_leads_to_a_page_of_the_shop(browser: Client) -> None:
    make_alice()

    assert sign_in(browser, next="/checkout/")["Location"] == "/checkout/"


def test_logging_in_again_and_again_meets_a_limit(browser: Client) -> None:
    make_alice()

    answers = [sign_in(browser, password="nope").status_code for _ in range(11)]

    assert answers[-1] == 429
    assert set(answers[:-1]) == {400}


def test_sign_out_is_a_post(browser: Client) -> None:
    browser.force_login(make_alice())

    assert browser.get("/account/logout/").status_code == 405
    browser.post("/account/logout/")
    assert browser.get("/account/").status_code == 302


def test_address_book_is_kept(browser: Client) -> None:
    alice = make_alice()
    browser.force_login(alice)

    browser.post("/account/addresses/new/", ADDRESS)
    entry = Address.objects.get(user=alice)
    browser.post(f"/account/addresses/{entry.pk}/", ADDRESS | {"line1": "9 Larch Lane"})
    assert "9 Larch Lane" in browser.get("/account/addresses/").content.decode()

    browser.post(f"/account/addresses/{entry.pk}/delete/")
    assert not Address.objects.exists()


def test_address_with_a_fault_keeps_what_was_typed(browser: Client) -> None:
    browser.force_login(make_alice())

    answer = browser.post("/account/addresses/new/", ADDRESS | {"city": "", "postal_code": ""})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="id_city-error"' in page
    assert 'id="id_postal_code-error"' in page
    assert 'value="12 Pine Street"' in page


def test_anothers_address_is_not_found(browser: Client) -> None:
    theirs = AddressFactory(user=make_bob())
    browser.force_login(make_alice())

    assert browser.get(f"/account/addresses/{theirs.pk}/").status_code == 404
    for path in ("", "delete/", "default/"):
        assert browser.post(f"/account/addresses/{theirs.pk}/{path}", ADDRESS).status_code == 404
    theirs.refresh_from_db()
    assert theirs.user.email == "bob@example.com"


def test_new_password_ends_other_sessions(browser: Client) -> None:
    alice = make_alice()
    browser.force_login(alice)
    phone = Client()
    phone.force_login(alice)

    answer = browser.post(
        "/account/profile/",
        {
            "which": "password",
            "old_password": PASSWORD,
            "new_password1": "cold-toast-warm-tea",
            "new_password2": "cold-toast-warm-tea",
        },
    )

    assert answer.status_code == 302
    assert browser.get("/account/").status_code == 200
    assert phone.get("/account/").status_code == 302


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that runs each task at once."""

    def at_once(args: tuple[str], **_: object) -> None:
        send_password_reset(*args)
        delivery.deliver_due()

    monkeypatch.setattr(send_password_reset, "apply_async", at_once)


@pytest.mark.usefixtures("worker")
def test_password_is_reset_by_mail_once(browser: Client) -> None:
    make_alice()
    browser.post("/account/password/reset/", {"email": "alice@example.com"})
    link = re.search(r"/account/password/new/\S+", mail.outbox[0].body).group()

    words = {"new_password1": "cold-toast-warm-tea", "new_password2": "cold-toast-warm-tea"}
    assert browser.post(link, words)["Location"] == "/account/login/"
    assert sign_in(browser, password="cold-toast-warm-tea").status_code == 302
    assert Client().get(link).status_code == 400


@pytest.mark.usefixtures("worker")
def test_reset_link_is_the_shops_whatever_host_was_asked(browser: Client, settings) -> None:
    make_alice()

    browser.post("/account/password/reset/", {"email": "alice@example.com"}, headers={
        "host": "localhost"
    })  # fmt: skip

    assert settings.SHOP_URL in mail.outbox[0].body


@pytest.mark.usefixtures("worker")
def test_reset_for_an_unknown_address_reads_the_same_and_sends_nothing(browser: Client) -> None:
    answer = browser.post("/account/password/reset/", {"email": "nobody@example.com"})

    assert "Look into your mail." in answer.content.decode()
    assert not mail.outbox


@pytest.mark.parametrize("uid", ["x", "MQ", "____", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ"])
def test_reset_link_that_is_none_is_cold(browser: Client, uid: str) -> None:
    assert browser.get(f"/account/password/new/{uid}/abc-def/").status_code == 400
