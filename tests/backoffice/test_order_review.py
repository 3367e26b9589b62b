"""Orders in review: a decision is taken once, with a reason, and is kept."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice import decision_log as decisions
from apps.backoffice.models import Decision
from apps.inventory.models import StockItem
from apps.orders.models import OrderEvent, Saga
from apps.payments.models import Payment
from tests.backoffice.conftest import (
    an_order,
    do,
    everything,
    in_review,
    log,
    messages_of,
    order_page,
    parcel,
    sold_in_review,
)
from tests.backoffice.order_pages import CLERK, QUEUE
from tests.factories import a_mug

pytestmark = pytest.mark.django_db

REVIEW_CASES = reverse("admin:review_cases")


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("retry", "forward", "tried again"),
        ("undo", "undoing", "being undone"),
        ("resolve", "done", "closed as it is"),
    ],
)
def test_decision_is_taken_with_reason_and_kept(
    staff: Client, name: str, state: str, words: str
) -> None:
    order = sold_in_review(number="KP-STUCK")

    do(staff, order_page(order, name), reason="the gateway is back")

    assert Saga.objects.get(order=order).state == state
    decided = Decision.objects.get()
    assert (decided.kind, decided.subject, decided.order_id) == ("saga", str(order.pk), order.pk)
    assert (decided.decision, decided.reason, decided.actor) == (
        name,
        "the gateway is back",
        CLERK,
    )
    assert log() == [(CLERK, f"KP-STUCK: {words}. the gateway is back")]


def test_order_that_keeps_something_is_not_closed_and_the_form_says_what(staff: Client) -> None:
    order = in_review(number="KP-STUCK")
    before = everything(order)
    url = order_page(order, "resolve")
    kept = "the order is PAYMENT_AUTHORIZED: neither confirmed nor cancelled"
    assert kept in staff.get(url).content.decode()

    answer = do(staff, url, reason="settled on the phone")

    (said,) = answer.context["form"].errors["reason"]
    assert said.startswith("KP-STUCK cannot be closed: ") and kept in said
    assert answer.context["form"]["reason"].value() == "settled on the phone"
    assert everything(order) == before
    assert not Decision.objects.exists()


def test_what_an_order_keeps_can_be_let_go_with_its_case(staff: Client) -> None:
    mug = a_mug(stock=5)
    order = in_review(number="KP-STUCK", mug=mug)
    Payment.objects.filter(order_id=order.pk).update(status="voided")

    do(staff, order_page(order, "resolve"), reason="voided at the gateway", let_go="on")

    order.refresh_from_db()
    assert order.status == "CANCELLED"
    assert OrderEvent.objects.get(order=order, status="CANCELLED").actor == CLERK
    assert StockItem.objects.get(variant=mug).on_hand == 5
    assert parcel(order).state == "cancelled"
    assert log() == [(CLERK, "KP-STUCK: let go and cancelled. voided at the gateway")]


@pytest.mark.parametrize("name", ["retry", "undo", "resolve"])
def test_only_what_is_in_review_is_decided_about(staff: Client, name: str) -> None:
    order = an_order(number="KP-FINE")
    before = everything(order)

    answer = do(staff, order_page(order, name), reason="x")

    assert messages_of(answer) == ["KP-FINE is not in review (any more). Nothing was changed."]
    assert everything(order) == before
    assert not Decision.objects.exists()


@pytest.mark.parametrize("name", ["retry", "undo", "resolve"])
def test_decision_needs_a_reason(staff: Client, name: str) -> None:
    order = in_review()
    before = everything(order)

    assert list(do(staff, order_page(order, name), reason="").context["form"].errors) == ["reason"]
    assert everything(order) == before


def test_many_orders_of_one_outage_are_retried_together(staff: Client) -> None:
    stuck = [in_review(), in_review()]
    asked = staff.post(
        QUEUE, {"action": "retry_selected", "_selected_action": [o.pk for o in stuck]}
    )

    answer = do(staff, asked["Location"], reason="the gateway is back")

    assert answer["Location"] == REVIEW_CASES + "?kind=saga"
    assert set(Saga.objects.values_list("state", flat=True)) == {"forward"}
    assert Decision.objects.count() == len(log()) == 2


def test_one_that_was_decided_meanwhile_stops_the_whole_decision(staff: Client) -> None:
    first, second = in_review(), in_review()
    asked = staff.post(
        QUEUE, {"action": "undo_selected", "_selected_action": [first.pk, second.pk]}
    )
    Saga.objects.filter(order=second).update(state="forward")

    answer = do(staff, asked["Location"], reason="x")

    assert messages_of(answer)[-1].endswith("is not in review (any more). Nothing was changed.")
    assert Saga.objects.get(order=first).state == "review"
    assert (Decision.objects.count(), log()) == (0, [])


def test_queue_says_who_waits_why_and_what_was_tried(staff: Client) -> None:
    order = in_review(number="KP-STUCK")
    an_order(number="KP-FINE")
    decisions.record("saga", order.pk, "retry", reason="try once more", actor="bob@example.com")

    shown = staff.get(QUEUE).content.decode()

    assert "KP-STUCK" in shown and "KP-FINE" not in shown
    assert "forward capture_payment did not succeed in 12 attempts" in shown
    assert "capture payment, 12 times: GatewayTransient: 503" in shown
    assert "retry by bob@example.com: try once more" in shown
    assert "KP-FINE" in staff.get(QUEUE, {"state": "all"}).content.decode()


def test_row_of_the_queue_leads_to_the_order(staff: Client) -> None:
    order = in_review()

    assert order_page(order) in staff.get(QUEUE).content.decode()
    page = staff.get(reverse("admin:orders_saga_change", args=[order.pk]))
    assert page["Location"] == order_page(order)
