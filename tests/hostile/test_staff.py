"""An attacker with a colleague's password or session, without their phone."""

import contextlib
import threading
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.sign_in import second_factor
from apps.core import rate_limits
from apps.customers.models import User
from tests.backoffice.conftest import an_order, order_page
from tests.backoffice.staff_browser import (
    CONFIRM,
    FACTOR,
    Clock,
    a_phone,
    by_password,
    code_of,
    confirm,
    is_open,
)
from tests.factories import PASSWORD, make_clerk
from tests.hostile import addresses
from tests.orders.purchases import at_once

pytestmark = pytest.mark.django_db

SIGN_IN_PATHS = ("/admin/login/", "/admin/logout/")


@pytest.fixture
def thief(db: None, settings: Any) -> Client:
    """Knows the password of a superuser who has a phone."""
    settings.STAFF_SECOND_FACTOR = True
    a_phone(make_clerk())
    return by_password(User.objects.get())


def test_password_without_the_phone_opens_no_address_of_the_office(thief: Client) -> None:
    routes = [route for route in addresses.of_admin() if route not in SIGN_IN_PATHS]
    assert len(routes) > 100

    for route in routes:
        path = addresses.filled(route)
        if path == CONFIRM:
            continue
        got, sent = thief.get(path), thief.post(path, {"do": "enrol", "setup": "x", "code": "1"})
        assert got.status_code == 302 and got["Location"].startswith(CONFIRM), route
        assert sent.status_code == 403 and b"confirm-form" in sent.content, route
    assert TOTPDevice.objects.count() == 1


def test_api_gives_a_session_of_staff_no_more_than_a_customers(thief: Client) -> None:
    for route in addresses.of_api():
        answer = thief.get(addresses.filled(route))
        assert answer.status_code != 500, route
        assert b"clerk@" not in answer.content or route == "/api/v1/me/", route


def test_guessing_codes_meets_a_limit_that_the_password_does_not_clear(thief: Client) -> None:
    clerk = User.objects.get()
    codes = []
    for number in range(rate_limits.CODES_OF_ACCOUNT.amount + 1):
        codes.append(confirm(thief, code=f"{number:06d}").status_code)
        by_password(clerk, thief)

    assert set(codes[:-1]) == {200}
    assert codes[-1] == 429


def test_session_left_open_is_no_place_to_guess_the_password(monkeypatch: Any) -> None:
    clock, order = Clock(monkeypatch), an_order()
    browser = by_password(make_clerk())
    url = order_page(order, "refund")
    clock.passes(minutes=11)

    answers = [
        browser.post(url, {"amount": "1.00", "confirm-password": f"wrong{number}"})
        for number in range(rate_limits.LOGINS_OF_ACCOUNT.amount + 1)
    ]

    assert {answer.status_code for answer in answers[:-1]} == {403}
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    right = browser.post(url, {"amount": "1.00", "reason": "x", "confirm-password": PASSWORD})
    assert right.status_code == 429, "the right code reveals nothing now"


def test_code_is_guessed_slowly_without_redis(thief: Client, settings: Any) -> None:
    settings.RATE_LIMITS = False  # as when Redis is unavailable
    clerk = User.objects.get()
    TOTPDevice.objects.update(throttling_failure_count=8)
    confirm(thief, code="zz")
    for device in TOTPDevice.objects.all():
        second_factor.verify(clerk, "999999" if code_of(device) != "999999" else "999998")

        assert second_factor.verify(clerk, code_of(device)).wait > 200


@pytest.mark.parametrize(
    "code",
    ["", " ", "\x00", "-1", "1e5", "１２３４５６", "0" * 5000, "🫖", "' OR 1=1 --", "०१२३४५"],
)
def test_strange_codes_are_wrong_codes(thief: Client, code: str) -> None:
    answer = confirm(thief, code=code)

    assert answer.status_code == 200
    assert not is_open(thief)


@pytest.mark.parametrize("setup", ["", "x", "\x00", "a:b:c", "x" * 5000])
def test_strange_setups_are_refused(setup: str) -> None:
    browser = by_password(make_clerk())

    answer = browser.post(FACTOR, {"do": "enrol", "setup": setup, "code": "123456"})

    assert answer.status_code == 200
    assert not TOTPDevice.objects.exists()


def test_carried_fields_are_text() -> None:
    clerk = make_clerk()
    browser = Client()
    browser.force_login(clerk)
    session = browser.session
    del session["office"]
    session.save()

    page = browser.post("/admin/", {'"><script>alert(1)</script>': '"><script>alert(2)</script>'})

    assert page.status_code == 403
    assert b"<script>alert" not in page.content


def test_post_of_another_site_is_not_continued() -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_clerk())

    for url in (CONFIRM, FACTOR):
        answer = browser.post(url, {"do": "codes", "confirm-password": PASSWORD})
        assert answer.status_code == 403 and b"confirm-form" not in answer.content


# --- The same code, twice at once -----------------------------------------------------------------


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both have read the device before either writes, where nothing keeps them apart."""
        readers = threading.Barrier(2)
        verify = TOTPDevice.verify_token

        def slowly(device: TOTPDevice, token: str) -> bool:
            with contextlib.suppress(threading.BrokenBarrierError):
                readers.wait(timeout=1)
            return verify(device, token)

        monkeypatch.setattr(TOTPDevice, "verify_token", slowly)

    def two_sign_in(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        clerk = make_clerk()
        device, _ = a_phone(clerk)
        code = code_of(device)
        self.together(monkeypatch)
        return sorted(
            answer.right for answer in at_once(2, lambda _: second_factor.verify(clerk, code))
        )

    def test_same_code_at_once_is_right_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.two_sign_in(monkeypatch) == [False, True]

    def test_control_without_the_lock_is_right_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(QuerySet, "select_for_update", lambda rows, **_: rows)

        assert self.two_sign_in(monkeypatch) == [True, True]

    def test_backup_code_at_once_is_right_once(self) -> None:
        clerk = make_clerk()
        _, codes = a_phone(clerk)

        answers = at_once(8, lambda _: second_factor.verify(clerk, codes[0]).right)

        assert sorted(answers) == [False] * 7 + [True]
        assert StaticToken.objects.count() == 9
