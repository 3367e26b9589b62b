"""Who may do what to an order, and which buttons its page offers."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.orders.models import Saga
from tests.backoffice.conftest import an_order, do, everything, in_review, order_page, signed_in
from tests.backoffice.order_pages import ACTIONS, LIST, QUEUE, buttons
from tests.factories import StaffFactory, make_alice

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("action", ACTIONS)
def test_looker_does_nothing(looker: Client, action: str) -> None:
    order = in_review() if action in ("retry", "undo", "resolve") else an_order()
    before = everything(order)

    assert looker.get(order_page(order, action)).status_code == 403
    assert looker.post(order_page(order, action), ACTIONS[action]).status_code == 403

    assert buttons(looker, order) == set()
    assert everything(order) == before


def test_looker_decides_about_no_queue(looker: Client) -> None:
    order = in_review()
    url = reverse("admin:review_cases_decide", args=["resolve"]) + f"?case=saga:{order.pk}"

    assert looker.get(url).status_code == 403
    assert looker.post(url, {"reason": "x"}).status_code == 403
    looker.post(QUEUE, {"action": "retry_selected", "_selected_action": [order.pk]})
    assert Saga.objects.get().state == "review"


def test_packer_ships_but_does_not_refund(db: None) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    packer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_order", "change_order"])
    )
    browser = signed_in(packer)
    order = an_order()

    assert buttons(browser, order) == {"cancel", "hand-over"}
    assert browser.get(order_page(order, "refund")).status_code == 403
    do(browser, order_page(order, "hand-over"))
    order.refresh_from_db()
    assert order.status == "SHIPPED"


def test_stranger_is_sent_to_the_door(db: None, client: Client) -> None:
    order = an_order()
    client.force_login(make_alice())

    for url in (LIST, order_page(order), order_page(order, "cancel")):
        answer = client.post(url, {"reason": "x"})
        assert answer.status_code == 302 and "/admin/login/" in answer["Location"]
    assert Saga.objects.get().state == "done"


def test_action_without_csrf_token_is_refused(clerk: Any) -> None:
    order = an_order()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(clerk)
    before = everything(order)

    assert browser.post(order_page(order, "hand-over"), {}).status_code == 403
    assert everything(order) == before


def test_reading_a_deeds_page_does_nothing(staff: Client) -> None:
    order = an_order()
    before = everything(order)

    for action in ACTIONS:
        assert staff.get(order_page(order, action)).status_code == 200

    assert everything(order) == before


@pytest.mark.parametrize(
    ("status", "state", "offered"),
    [
        ("CONFIRMED", "done", {"hand-over", "refund", "cancel"}),
        ("SHIPPED", "done", {"deliver", "refund"}),
        ("DELIVERED", "done", {"refund"}),
        ("CONFIRMED", "undoing", {"refund"}),
        ("CONFIRMED", "review", {"refund", "retry", "undo", "resolve"}),
    ],
)
def test_buttons_are_those_that_make_sense(
    staff: Client, status: str, state: str, offered: set[str]
) -> None:
    assert buttons(staff, an_order(status, saga_state=state)) == offered
