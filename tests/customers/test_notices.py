"""The owner of an account gets mail about a new password or e-mail address, however changed."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils.http import urlsafe_base64_encode
from kombu.exceptions import OperationalError

from apps.customers import accounts, notices
from apps.customers.models import User
from apps.customers.tasks import send_notice
from tests.backoffice.conftest import form_of
from tests.factories import PASSWORD, make_clerk

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "cold-toast-warm-tea"


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    """Run the task at once, in this process."""
    monkeypatch.setattr(send_notice, "apply_async", lambda args, **_: send_notice(*args))


@pytest.fixture
def office():
    client = Client(raise_request_exception=False)
    client.force_login(make_clerk())
    return client


def by_change(alice, office):
    browser = Client()
    browser.force_login(alice)
    form = {"which": "password", "old_password": PASSWORD}
    return browser.post("/account/profile/", form | {"new_password1": NEW, "new_password2": NEW})


def by_reset(alice, office):
    uid = urlsafe_base64_encode(str(alice.pk).encode())
    link = f"/account/password/new/{uid}/{default_token_generator.make_token(alice)}/"
    return Client().post(link, {"new_password1": NEW, "new_password2": NEW})


def by_staff(alice, office):
    form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    return office.post(f"/admin/customers/user/{alice.pk}/password/", form)


def by_staff_for_themselves(alice, office):
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    alice.refresh_from_db()  # otherwise the session ends, because the rights have changed
    browser = Client()
    browser.force_login(alice)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    return browser.post("/admin/password_change/", form)


def by_command_line(alice, office):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda *_, **__: NEW)
        call_command("changepassword", alice.email, verbosity=0)


WAYS = [by_change, by_reset, by_staff, by_staff_for_themselves, by_command_line]


@pytest.mark.parametrize("way", WAYS)
def test_new_password_is_mailed_to_the_address(alice, office, settings, way):
    answer = way(alice, office)

    assert answer is None or answer.status_code == 302, answer.content
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    (notice,) = mail.outbox
    assert notice.to == [alice.email]
    assert notice.subject == f"Your password at {settings.SHOP_NAME} was changed"
    assert datetime.now(UTC).strftime("%B %-d, %Y") in notice.body
    assert re.search(r"at \d\d:\d\d \(UTC\)", notice.body)
    assert f"{settings.SHOP_URL}/account/password/reset/" in notice.body
    assert NEW not in notice.body


def test_password_that_staff_disable_is_mailed_too(alice, office):
    form = {"password1": "", "password2": "", "usable_password": "false"}
    form |= {"unset-password": "1"}
    office.post(f"/admin/customers/user/{alice.pk}/password/", form)

    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert [notice.to for notice in mail.outbox] == [[alice.email]]


@pytest.mark.parametrize("way", WAYS)
def test_change_succeeds_when_the_broker_is_down(alice, office, monkeypatch, caplog, way):
    def down(*_, **__):
        raise OperationalError("the broker is down")

    monkeypatch.setattr(send_notice, "apply_async", down)

    answer = way(alice, office)

    assert answer is None or answer.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert "notice not enqueued, password_changed" in caplog.text
    assert alice.email not in caplog.text


def test_refused_change_sends_no_mail(alice):
    browser = Client()
    browser.force_login(alice)
    form = {"which": "password", "old_password": "wrong", "new_password1": NEW}

    assert browser.post("/account/profile/", form | {"new_password2": NEW}).status_code == 400

    assert not mail.outbox


def test_change_that_is_rolled_back_sends_no_mail(alice):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        alice.set_password(NEW)
        alice.save()
        _ = 1 / 0

    assert not mail.outbox


def test_other_events_send_no_mail(alice, office, settings):
    """Registering, signing in, a stronger hash of the same password, a new name."""
    accounts.register("carol@example.com", PASSWORD)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    browser = Client()
    browser.post("/account/login/", {"email": alice.email, "password": PASSWORD})
    alice.refresh_from_db()
    assert alice.password.startswith(PBKDF2PasswordHasher.algorithm)
    browser.post("/account/profile/", {"which": "name", "name": "Alice A."})
    alice.refresh_from_db()
    alice.email = "unsaved@example.com"
    alice.save(update_fields=["name"])
    browser.post("/account/logout/everywhere/")

    assert not mail.outbox


def change_in_the_office(office, account, **changes):
    page = f"/admin/customers/user/{account.pk}/change/"
    answer = office.post(page, form_of(office, page) | changes)
    assert answer.status_code == 302, answer.content


def test_new_address_is_mailed_to_the_old_one(alice, office):
    change_in_the_office(office, alice, email="new@example.com")

    alice.refresh_from_db()
    assert alice.email == "new@example.com"
    (notice,) = mail.outbox
    assert notice.to == ["alice@example.com"]
    assert "another e-mail address" in notice.subject
    assert "new@example.com" not in notice.body


def test_other_changes_by_staff_send_no_mail(alice, office):
    change_in_the_office(office, alice, name="Alice Baker")

    alice.refresh_from_db()
    assert alice.name == "Alice Baker"
    assert not mail.outbox


def test_task_is_retried_while_the_mail_server_is_down(monkeypatch):
    attempts = []

    def refused(*_, **__):
        attempts.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr("apps.customers.tasks.send_mail", refused)

    when = datetime.now(UTC).isoformat()
    done = send_notice.apply((notices.PASSWORD_CHANGED, "alice@example.com", when))

    assert len(attempts) == send_notice.max_retries + 1
    assert isinstance(done.result, ConnectionRefusedError)


def test_one_mailbox_is_not_flooded_with_notices(monkeypatch):
    monkeypatch.setattr(mail, "outbox", [], raising=False)
    when = datetime.now(UTC).isoformat()
    for number in range(8):
        send_notice(notices.PASSWORD_CHANGED, f"Alice+{number}@example.com", when)
    send_notice(notices.PASSWORD_CHANGED, "bob@example.com", when)

    assert len(mail.outbox) == 5 + 1
    assert mail.outbox[-1].to == ["bob@example.com"]
