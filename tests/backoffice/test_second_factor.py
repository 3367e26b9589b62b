"""Two factors: setting up, signing in, losing the phone."""

import logging
import re
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice import decision_log
from apps.backoffice.apps import second_factor_is_on
from apps.backoffice.models import Decision
from apps.backoffice.sign_in import enrolment, second_factor
from apps.customers.models import User
from tests.backoffice.conftest import an_order, do, order_page
from tests.backoffice.staff_browser import (
    CONFIRM,
    FACTOR,
    Clock,
    a_phone,
    asked,
    by_password,
    code_of,
    confirm,
    is_open,
    wrong_code,
)
from tests.factories import PASSWORD, StaffFactory, make_alice

pytestmark = pytest.mark.django_db


@pytest.fixture
def required(settings: Any) -> None:
    """As in production."""
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def setup_of(page: Any) -> tuple[str, TOTPDevice]:
    """The signed secret of the form, and the phone that has scanned it."""
    found = re.search(r'name="setup" value="([^"]+)"', page.content.decode())
    assert found, "no setup is shown"
    device = enrolment.device_of_setup(page.wsgi_request.user, found[1])
    assert device is not None
    return found[1], device


def set_up(browser: Client, code: str = "", url: str = FACTOR) -> Any:
    """Scan the page's code and type what the phone shows, or `code`."""
    setup, device = setup_of(browser.get(url))
    return browser.post(url, {"do": "enrol", "setup": setup, "code": code or code_of(device)})


def codes_on(page: Any) -> list[str]:
    return re.findall(r"<li class=\"bo-mono\">([a-z0-9-]+)</li>", page.content.decode())


# --- Setting up ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("required")
def test_who_has_no_second_factor_sees_nothing_but_its_setup(clerk: User) -> None:
    browser, order = by_password(clerk), an_order()

    for url in ("/admin/", order_page(order), order_page(order, "refund"), "/admin/jsi18n/",
                "/admin/password_change/", "/admin/autocomplete/", "/admin/nowhere/"):  # fmt: skip
        for answer in (browser.get(url), browser.post(url, {})):
            assert answer.status_code == 302, url
            assert answer["Location"].startswith(FACTOR), url


@pytest.mark.usefixtures("required")
def test_setting_up_opens_the_office_and_shows_backup_codes_once(clerk: User) -> None:
    browser = by_password(clerk)
    page = browser.get("/admin/orders/order/", follow=True)
    assert "data:image/svg+xml" in page.content.decode()
    assert "<script>" not in page.content.decode()

    done = set_up(browser, url=f"{FACTOR}?next=/admin/orders/order/")

    codes = codes_on(done)
    assert len(codes) == len(set(codes)) == 10
    assert 'href="/admin/orders/order/"' in done.content.decode()
    assert "no-store" in done["Cache-Control"]
    assert is_open(browser)
    assert not any(code in browser.get(FACTOR).content.decode() for code in codes)
    line = Decision.objects.get()
    assert (line.kind, line.subject, line.decision) == ("second-factor", clerk.email, "set up")


@pytest.mark.usefixtures("required")
def test_setup_with_a_wrong_code_keeps_its_secret(clerk: User) -> None:
    browser = by_password(clerk)
    setup, device = setup_of(browser.get(FACTOR))
    wrong = {"do": "enrol", "setup": setup, "code": wrong_code(device)}

    page = browser.post(FACTOR, wrong)

    assert setup_of(page)[1].key == device.key, "scanned once is enough"
    assert TOTPDevice.objects.count() == 0 and not is_open(browser)
    assert codes_on(browser.post(FACTOR, {**wrong, "code": code_of(device)}))


def test_setup_of_another_account_and_an_invented_one_are_refused(clerk: User) -> None:
    other = StaffFactory(email="other@kettleandpine.example")
    browser = by_password(clerk)
    for setup in (enrolment.new_setup(other), "x:y:z", ""):
        page = browser.post(FACTOR, {"do": "enrol", "setup": setup, "code": "000000"})
        assert "Scan this new code" in page.content.decode()
    assert TOTPDevice.objects.count() == 0


def test_customers_do_not_get_there() -> None:
    browser = Client()
    browser.force_login(make_alice())

    for answer in (browser.get(FACTOR), browser.post(FACTOR, {"do": "enrol"}),
                   browser.get(CONFIRM), Client().get(FACTOR)):  # fmt: skip
        assert answer.status_code == 302 and answer["Location"].startswith("/admin/login/")


def test_second_factor_is_set_up_after_a_fresh_sign_in_only(clerk: User, clock: Clock) -> None:
    browser = by_password(clerk)
    clock.passes(minutes=11)

    assert asked(browser.get(FACTOR, follow=True)) == {"password"}
    assert asked(browser.post(FACTOR, {"do": "enrol"})) == {"password"}


def test_another_phone_takes_the_place_of_the_first(clerk: User) -> None:
    old, old_codes = a_phone(clerk)
    browser = by_password(clerk)
    confirm(browser, code=code_of(old))

    done = set_up(browser, url=f"{FACTOR}?replace=1")

    assert len(codes_on(done)) == 10
    assert not second_factor.verify(clerk, code_of(old)).right
    assert not second_factor.verify(clerk, old_codes[0]).right
    assert is_open(browser)
    assert Decision.objects.first().decision == "replaced"


def test_other_sessions_show_the_new_phone(clerk: User) -> None:
    elsewhere = by_password(clerk)
    assert is_open(elsewhere)

    set_up(by_password(clerk))

    assert asked(elsewhere.get("/admin/", follow=True)) == {"code"}


# --- Signing in ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("required")
def test_password_alone_opens_nothing(clerk: User) -> None:
    device, _ = a_phone(clerk)
    browser = by_password(clerk)
    page = browser.get("/admin/", follow=True)
    assert asked(page) == {"code"}

    assert "not right" in confirm(browser, code=wrong_code(device)).content.decode()
    assert not is_open(browser)
    TOTPDevice.objects.update(throttling_failure_count=0)
    assert confirm(browser, f"{CONFIRM}?next=/admin/", code=code_of(device)).status_code == 302

    assert is_open(browser)


def test_shops_door_opens_no_office(clerk: User) -> None:
    device, _ = a_phone(clerk)
    browser = Client()
    browser.post("/account/login/", {"email": clerk.email, "password": PASSWORD})
    assert browser.get("/account/").status_code == 200

    assert asked(browser.get("/admin/", follow=True)) == {"code"}
    confirm(browser, code=code_of(device))
    assert is_open(browser)


def test_demo_signs_in_by_password_alone(clerk: User) -> None:
    assert is_open(by_password(clerk))


def test_code_is_good_once(clerk: User) -> None:
    device, _ = a_phone(clerk)
    code = code_of(device)
    first, second = by_password(clerk), by_password(clerk)

    confirm(first, code=code)
    confirm(second, code=code)

    assert is_open(first) and not is_open(second)


def test_code_that_set_it_up_signs_no_one_in(clerk: User) -> None:
    browser = by_password(clerk)
    setup, device = setup_of(browser.get(FACTOR))
    code = code_of(device)
    browser.post(FACTOR, {"do": "enrol", "setup": setup, "code": code})

    assert not second_factor.verify(clerk, code).right


def test_backup_code_is_good_once_and_counts_as_no_wrong_guess_at_the_phone(clerk: User) -> None:
    device, codes = a_phone(clerk)
    first, second = by_password(clerk), by_password(clerk)

    confirm(first, code=codes[3].upper().replace("-", " "))
    confirm(second, code=codes[3])

    assert is_open(first) and not is_open(second)
    assert StaticToken.objects.count() == 9
    assert second_factor.verify(clerk, code_of(device)).right


def test_backup_codes_in_the_database_open_nothing(clerk: User) -> None:
    a_phone(clerk)

    kept = StaticToken.objects.first().token

    assert not second_factor.verify(clerk, kept).right


def test_backup_codes_survive_a_new_secret_key(clerk: User, settings: Any) -> None:
    _, codes = a_phone(clerk)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "today" * 12

    assert second_factor.verify(clerk, codes[0]).right


def test_new_backup_codes_end_the_old_ones(clerk: User) -> None:
    device, old = a_phone(clerk)
    browser = by_password(clerk)
    confirm(browser, code=code_of(device))

    new = codes_on(browser.post(FACTOR, {"do": "codes"}))

    assert len(new) == 10
    assert not second_factor.verify(clerk, old[0]).right


def test_guesses_at_codes_wait_longer_each_time(clerk: User) -> None:
    device, _ = a_phone(clerk)
    browser = by_password(clerk)
    confirm(browser, code=wrong_code(device))

    page = confirm(browser, code=code_of(device))

    assert "The next one counts in 1 s" in page.content.decode()
    assert not is_open(browser)


def test_guesser_shuts_the_owner_out_for_minutes_not_weeks(clerk: User) -> None:
    device, _ = a_phone(clerk)
    TOTPDevice.objects.update(throttling_failure_count=60, throttling_failure_timestamp=None)

    second_factor.verify(clerk, wrong_code(device))

    assert 500 <= second_factor.verify(clerk, code_of(device)).wait <= 512


def test_fresh_sign_in_asks_for_both(clerk: User, clock: Clock) -> None:
    device, codes = a_phone(clerk)
    browser, order = by_password(clerk), an_order()
    confirm(browser, code=code_of(device))
    clock.passes(minutes=11)
    url = order_page(order, "refund")
    assert asked(browser.get(url, follow=True)) == {"password", "code"}

    wrong = confirm(browser, f"{CONFIRM}?next={url}&fresh=1", password="x", code=codes[0])
    assert "That is not your password." in wrong.content.decode()
    assert StaticToken.objects.count() == 10, "a code is not spent beside a wrong password"
    right = confirm(browser, f"{CONFIRM}?next={url}&fresh=1", password=PASSWORD, code=codes[0])

    assert right["Location"] == url
    assert browser.get(url).status_code == 200


def test_code_after_an_old_password_is_not_enough(clerk: User, clock: Clock) -> None:
    a_phone(clerk)
    browser = by_password(clerk)
    clock.passes(minutes=11)

    assert asked(browser.get("/admin/", follow=True)) == {"password", "code"}


# --- The phone is gone --------------------------------------------------------------------------


def reset_page(user: User) -> str:
    return reverse("admin:customers_user_reset_second_factor", args=[user.pk])


def test_administrator_resets_a_colleagues_second_factor(staff: Client, clerk: User) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    device, _ = a_phone(packer)
    theirs = by_password(packer)
    confirm(theirs, code=code_of(device))
    assert is_open(theirs)
    page = reverse("admin:customers_user_change", args=[packer.pk])
    assert reset_page(packer) in staff.get(page).content.decode()

    assert do(staff, reset_page(packer), reason="phone lost, asked by voice").status_code == 302

    assert not TOTPDevice.objects.exists() and not StaticToken.objects.exists()
    assert asked(theirs.get("/admin/", follow=True)) == {"password"}
    line = Decision.objects.filter(decision="reset").get()
    assert (line.subject, line.actor, line.reason) == (
        packer.email, clerk.email, "phone lost, asked by voice",
    )  # fmt: skip
    assert reset_page(packer) not in staff.get(page).content.decode()


def test_reset_asks_again_who_it_is(staff: Client, clock: Clock) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    a_phone(packer)
    clock.passes(minutes=11)

    assert asked(staff.post(reset_page(packer), {"reason": "x"})) == {"password"}
    assert TOTPDevice.objects.exists()


def test_only_superusers_reset(looker: Client, clerk: User) -> None:
    a_phone(clerk)

    assert looker.get(reset_page(clerk)).status_code == 403
    assert looker.post(reset_page(clerk), {"reason": "x"}).status_code == 403
    assert TOTPDevice.objects.exists()


def test_last_administrator_is_helped_on_the_server(clerk: User) -> None:
    a_phone(clerk)

    call_command("reset_second_factor", clerk.email.upper(), reason="phone lost")

    assert not TOTPDevice.objects.exists()
    assert Decision.objects.filter(decision="reset", actor="command line").exists()
    with pytest.raises(CommandError, match="no second factor"):
        call_command("reset_second_factor", clerk.email, reason="again")
    with pytest.raises(CommandError, match="no account"):
        call_command("reset_second_factor", "nobody@example.com", reason="x")


def test_log_of_decisions_is_read_by_second_factors(staff: Client) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example")
    a_phone(packer)
    decision_log.record("mail", 7, "retry", actor="bob", reason="theirs again")

    shown = staff.get(reverse("admin:backoffice_decision_changelist") + "?about=second-factor")

    assert [line.subject for line in shown.context["cl"].result_list] == [packer.email]


def test_production_without_second_factors_is_told_so(settings: Any) -> None:
    assert [found.id for found in second_factor_is_on()] == ["backoffice.W001"]
    settings.STAFF_SECOND_FACTOR = True
    assert second_factor_is_on() == []


# --- What the log says --------------------------------------------------------------------------


def test_secrets_of_phones_are_not_in_the_office(staff: Client) -> None:
    assert not [model for model in admin.site._registry if model._meta.app_label.startswith("otp")]
    page = staff.get(reverse("admin:auth_group_add")).content.decode()
    assert "TOTP" not in page and "static device" not in page.lower()


def test_log_tells_who_and_where_and_no_secret(
    clerk: User, caplog: pytest.LogCaptureFixture
) -> None:
    device, codes = a_phone(clerk)
    browser = Client()
    with caplog.at_level(logging.INFO):
        browser.post("/admin/login/?next=/admin/", {"username": "my-passw0rd", "password": "no"})
        by_password(clerk, browser)
        confirm(browser, code="zzzzz-zzzzz")
        confirm(browser, code=code_of(device))

    logged = caplog.text
    assert f"staff {clerk.pk} signed in, from 127.0.0.1" in logged
    assert "sign-in of staff refused" in logged
    assert f"staff {clerk.pk}: wrong code" in logged
    assert f"staff {clerk.pk} confirmed by code, from 127.0.0.1" in logged
    for secret in (PASSWORD, "my-passw0rd", device.key, "zzzzz", *codes):
        assert secret not in logged
