"""Erasing a buyer in the back office: who may, what it asks, and what it answers."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.core.erased_person import is_erased
from apps.customers.models import User
from tests.backoffice.conftest import (
    an_order,
    do,
    form_id,
    log,
    messages_of,
    order_page,
    signed_in,
)
from tests.factories import StaffFactory, make_alice

pytestmark = pytest.mark.django_db


def account_page(user: User) -> str:
    return reverse("admin:customers_user_change", args=[user.pk])


def erasing(user: User) -> str:
    return reverse("admin:orders_erase_account", args=[user.pk])


def answered(browser: Client, url: str, **given: Any) -> Any:
    return do(browser, url, **({"reason": "asked by mail", "sure": "on"} | given))


def test_account_is_erased_from_its_page(staff: Client) -> None:
    alice = make_alice()
    order = an_order("DELIVERED", user=alice)
    button = account_page(alice).replace("/change/", "/erase-buyer/")
    assert button in staff.get(account_page(alice)).content.decode()
    assert staff.get(button)["Location"] == erasing(alice)

    answer = answered(staff, erasing(alice))

    assert messages_of(answer) == ["The buyer was erased."]
    alice.refresh_from_db()
    order.refresh_from_db()
    assert is_erased(alice.email) and order.email == alice.email
    assert log()[-1][1] == "The buyer was erased."
    assert button not in staff.get(account_page(alice)).content.decode()
    assert staff.get(order_page(order)).status_code == 200


def test_guest_is_erased_from_the_orders_page(staff: Client) -> None:
    order = an_order("DELIVERED")
    assert order_page(order, "erase-buyer") in staff.get(order_page(order)).content.decode()

    answered(staff, order_page(order, "erase-buyer"))

    order.refresh_from_db()
    assert is_erased(order.email)
    shown = staff.get(order_page(order)).content.decode()
    assert order_page(order, "erase-buyer") not in shown and "12 Pine Street" not in shown


def test_form_that_is_sent_twice_erases_once(staff: Client) -> None:
    order = an_order("DELIVERED")
    url = order_page(order, "erase-buyer")
    sent = {"form_id": form_id(staff, url), "reason": "asked by mail", "sure": "on"}

    staff.post(url, sent)
    again = staff.post(url, sent)

    assert "done already" in messages_of(again)[-1]


def test_without_the_tick_nothing_is_erased(staff: Client) -> None:
    order = an_order("DELIVERED")

    answer = do(staff, order_page(order, "erase-buyer"), reason="asked by mail")

    assert "sure" in answer.context["form"].errors
    order.refresh_from_db()
    assert order.email == "alice@example.com"


def test_order_under_way_is_named_and_nothing_is_erased(staff: Client) -> None:
    alice = make_alice()
    order = an_order("SHIPPED", user=alice)

    answer = answered(staff, erasing(alice))

    assert order.number in messages_of(answer)[0]
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


def test_erasing_needs_its_own_right(db: None) -> None:
    clerk = StaffFactory(is_superuser=False)
    clerk.user_permissions.set(Permission.objects.exclude(codename="erase_user"))
    browser, alice = signed_in(clerk), make_alice()
    order = an_order("DELIVERED")

    for url in (erasing(alice), order_page(order, "erase-buyer")):
        assert browser.get(url).status_code == 403
        assert browser.post(url, {"reason": "x", "sure": "on"}).status_code == 403
    for url in (account_page(alice), order_page(order)):
        assert "erase-buyer" not in browser.get(url).content.decode()


def test_unknown_account_is_no_error(staff: Client) -> None:
    answer = staff.get(reverse("admin:orders_erase_account", args=[999_999]))
    assert messages_of(answer) == ["No such account."]
