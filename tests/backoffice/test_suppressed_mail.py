"""Staff see what was not sent, and why."""

import pytest
from django.test import Client

from tests.factories import NotificationFactory, make_clerk

pytestmark = pytest.mark.django_db


def test_suppressed_mail_is_listed_and_tells_its_reason():
    clerk = Client()
    clerk.force_login(make_clerk())
    kept = NotificationFactory(
        order_id=None, kind="password_reset", body="", state="suppressed", last_error="over the cap"
    )
    NotificationFactory(state="sent", to="bob@example.com")
    mails = "/admin/notifications/notification/"

    listed = clerk.get(f"{mails}?state__exact=suppressed").content.decode()
    page = clerk.get(f"{mails}{kept.pk}/change/").content.decode()

    assert "alice@example.com" in listed and "bob@example.com" not in listed
    assert "suppressed" in listed
    assert "over the cap" in page
