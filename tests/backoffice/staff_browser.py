"""Staff who sign in to the back office: passwords, phones, and the time that passes."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from apps.backoffice.sign_in import enrolment, staff_session
from apps.customers.models import User
from tests.factories import PASSWORD

LOGIN = "/admin/login/?next=/admin/"
CONFIRM = "/admin/confirm/"
FACTOR = "/admin/second-factor/"


class Clock:
    """The time as staff_session.py reads it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        patch.setattr(staff_session, "now", lambda: time.time() + self.ahead.total_seconds())

    def passes(self, **time: float) -> None:
        self.ahead += timedelta(**time)


def a_phone(user: User) -> tuple[TOTPDevice, list[str]]:
    """A phone that is set up, and its backup codes."""
    device = TOTPDevice(user=user, name="phone", key=default_key())
    codes = enrolment.enrol(user, device, code_of(device))
    assert codes is not None
    # As if that had been a while ago: its code can be used again.
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1)
    return device, codes


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    """The code that the app shows now, or `steps` half minutes from now."""
    return f"{totp(device.bin_key, t0=-30 * steps):06d}"


def wrong_code(device: TOTPDevice) -> str:
    """Six digits that are no code of a time near the present."""
    near = {code_of(device, steps=steps) for steps in range(-4, 5)}
    return next(f"{number:06d}" for number in range(20) if f"{number:06d}" not in near)


def by_password(user: User, browser: Client | None = None) -> Client:
    """A browser in which this person has given the password on the sign-in page."""
    browser = browser or Client()
    answer = browser.post(LOGIN, {"username": user.email, "password": PASSWORD})
    assert answer.status_code == 302, "the password is right"
    return browser


def confirm(browser: Client, url: str = CONFIRM, **shown: Any) -> Any:
    """Send the form of the confirmation."""
    return browser.post(url, {f"confirm-{name}": value for name, value in shown.items()})


def is_open(browser: Client) -> bool:
    """Whether the dashboard is shown."""
    answer = browser.get("/admin/")
    assert answer.status_code in (200, 302)
    return answer.status_code == 200


def asked(answer: Any) -> set[str]:
    """What the page of the confirmation asks for."""
    names = re.findall(r'name="confirm-(\w+)"', answer.content.decode())
    return set(names)


def hidden(answer: Any) -> dict[str, list[str]]:
    """The fields that the page carries along."""
    page = answer.content.decode()
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page):
        if name != "csrfmiddlewaretoken":
            found.setdefault(name, []).append(value)
    return found
