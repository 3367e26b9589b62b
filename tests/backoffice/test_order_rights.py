"""Who may do what to an order, and which buttons its page offers."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from apps.orders.models import Saga
from tests.backoffice.conftest import (
    an_order,
    do,
    everything,
    form_id,
    in_review,
    messages_of,
    order_page,
    signed_in,
)
from tests.backoffice.order_pages import ACTIONS, LIST, QUEUE, buttons
from tests.factories import ReturnFactory, StaffFactory, make_alice

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


def with_rights(*codenames: str) -> Client:
    """The browser of a colleague who may look at orders, and these."""
    colleague = StaffFactory(email="colleague@kettleandpine.example", is_superuser=False)
    colleague.user_permissions.set(
        Permission.objects.filter(codename__in=["view_order", *codenames])
    )
    return signed_in(colleague)


def test_packer_only_ships(db: None) -> None:
    browser = with_rights("ship_order", "change_order")
    order = an_order()

    assert buttons(browser, order) == {"hand-over"}
    for action in ("cancel", "refund", "receive-return"):
        assert browser.get(order_page(order, action)).status_code == 403
        assert browser.post(order_page(order, action), ACTIONS[action]).status_code == 403
    do(browser, order_page(order, "hand-over"))
    order.refresh_from_db()
    assert order.status == "SHIPPED"


@pytest.mark.parametrize(
    ("right", "status", "allowed"),
    [
        ("ship_order", "CONFIRMED", {"hand-over"}),
        ("ship_order", "SHIPPED", {"deliver"}),
        ("cancel_order", "CONFIRMED", set()),  # its money would go back
        ("add_refund", "CONFIRMED", {"refund"}),
        ("receive_return", "RETURN_INITIATED", {"receive-return", "refuse-return"}),
        ("change_order", "CONFIRMED", set()),
        ("change_return", "RETURN_INITIATED", set()),
    ],
)
def test_each_right_allows_its_own_action_only(
    db: None, right: str, status: str, allowed: set[str]
) -> None:
    browser = with_rights(right)
    order = an_order(status)
    if status == "RETURN_INITIATED":
        ReturnFactory(order=order)

    assert buttons(browser, order) == allowed
    for action in ("hand-over", "deliver", "cancel", "refund", "receive-return", "refuse-return"):
        may = action in allowed or (right == "ship_order" and action in ("hand-over", "deliver"))
        assert browser.get(order_page(order, action)).status_code == (200 if may else 403), action


def test_paid_order_is_cancelled_with_the_right_to_refund(db: None) -> None:
    browser = with_rights("cancel_order", "add_refund")
    order = an_order()

    assert buttons(browser, order) == {"cancel", "refund"}
    do(browser, order_page(order, "cancel"), reason="out of mugs")
    assert Saga.objects.get().state == "undoing"


def test_unpaid_order_is_cancelled_without_the_right_to_refund(db: None) -> None:
    browser = with_rights("cancel_order")
    order = an_order(
        "PAYMENT_AUTHORIZED", saga_state="forward", step="confirm_stock", captured=False
    )

    assert buttons(browser, order) == {"cancel"}
    do(browser, order_page(order, "cancel"), reason="out of mugs")
    assert Saga.objects.get().cancel_requested_at is not None


def test_order_whose_money_may_be_taken_now_counts_as_paid(db: None) -> None:
    browser = with_rights("cancel_order")
    order = an_order(
        "PAYMENT_AUTHORIZED", saga_state="forward", step="capture_payment", captured=False
    )

    assert buttons(browser, order) == set()
    assert browser.post(order_page(order, "cancel"), {"reason": "x"}).status_code == 403
    assert Saga.objects.get().cancel_requested_at is None


def test_order_that_was_paid_while_the_form_was_open_is_not_cancelled(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = with_rights("cancel_order")
    order = an_order(
        "PAYMENT_AUTHORIZED", saga_state="forward", step="confirm_stock", captured=False
    )
    sent = {"form_id": form_id(browser, order_page(order, "cancel")), "reason": "x"}
    # The worker goes on between the check of the rights and the lock of the saga.
    locked = Saga.objects.select_for_update

    def paid_meanwhile() -> Any:
        Saga.objects.update(step="capture_payment")
        return locked()

    monkeypatch.setattr(Saga.objects, "select_for_update", paid_meanwhile)

    answer = browser.post(order_page(order, "cancel"), sent)

    assert "right to refund" in messages_of(answer)[0]
    assert Saga.objects.get().cancel_requested_at is None


def test_undo_in_review_takes_the_right_to_refund(db: None) -> None:
    browser = with_rights("view_saga", "change_saga")
    order = in_review()
    ticked = reverse("admin:review_cases_decide", args=["undo"]) + f"?case=saga:{order.pk}"

    assert buttons(browser, order) == {"retry", "resolve"}
    assert ">Undo" not in browser.get(reverse("admin:review_cases")).content.decode()
    assert browser.post(order_page(order, "undo"), {"reason": "x"}).status_code == 403
    assert browser.post(ticked, {"reason": "x"}).status_code == 403
    assert Saga.objects.get().state == "review"


def test_undo_in_review_is_done_with_both_rights(db: None) -> None:
    browser = with_rights("view_saga", "change_saga", "add_refund")
    order = in_review()

    do(browser, order_page(order, "undo"), reason="x")

    assert Saga.objects.get().state == "undoing"


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


def test_role_of_before_is_given_the_rights_of_their_own(db: None) -> None:
    packers = Group.objects.create(name="Packers")
    packers.permissions.set(Permission.objects.filter(codename="change_order"))
    returns = StaffFactory(email="returns@kettleandpine.example", is_superuser=False)
    returns.user_permissions.set(Permission.objects.filter(codename="change_return"))

    migration = import_module("apps.orders.migrations.0004_rights_of_their_own")
    migration.give(apps, None)

    assert set(packers.permissions.values_list("codename", flat=True)) == {
        "change_order", "ship_order", "cancel_order",
    }  # fmt: skip
    assert returns.has_perm("orders.receive_return")
    assert not returns.has_perm("payments.add_refund")
