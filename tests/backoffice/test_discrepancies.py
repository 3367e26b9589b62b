"""What does not fit with the gateway's books: looked at, and decided about with a reason."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.payments.models import Discrepancy, Payment, Reconciliation
from tests.backoffice.conftest import do, log, messages_of
from tests.backoffice.test_money_and_mail import page
from tests.factories import OrderFactory, PaymentFactory

pytestmark = pytest.mark.django_db

CLERK = "clerk@kettleandpine.example"


def noted(kind: str = "second_charge", **fields: Any) -> Discrepancy:
    payment = PaymentFactory(order_id=OrderFactory().pk, captured=True)
    return Discrepancy.objects.create(
        kind=kind, subject="pi_1", payment=payment, why="Two are one too many.", **fields
    )


def buttons(client: Client, row: Discrepancy) -> set[str]:
    content = client.get(page(row)).content.decode()
    return {
        action for action in ("look-again", "give-back", "adopt", "leave-be") if action in content
    }


@pytest.mark.parametrize(
    ("kind", "offered"),
    [
        ("second_charge", {"look-again", "give-back", "leave-be"}),
        ("refunded_there", {"look-again", "adopt", "leave-be"}),
        ("disputed", {"look-again", "leave-be"}),
    ],
)
def test_what_can_be_done_is_offered(staff: Client, kind: str, offered: set[str]) -> None:
    assert buttons(staff, noted(kind)) == offered


def test_resolved_row_is_only_looked_at(staff: Client) -> None:
    row = noted()
    do(staff, page(row, "leave-be"), reason="goodwill")
    row.refresh_from_db()
    assert (row.state, row.resolved_by, row.resolution) == ("resolved", CLERK, "goodwill")
    assert log() == [(CLERK, "pi_1: left as it is. goodwill")]
    assert buttons(staff, row) == set()

    answer = do(staff, page(row, "give-back"), reason="after all")

    assert messages_of(answer) == ["This cannot be decided (any more). Nothing was changed."]
    row.refresh_from_db()
    assert (row.tries, row.resolution) == (0, "goodwill")


def test_money_is_given_back_by_a_worker_and_the_wish_is_kept(staff: Client) -> None:
    row = noted()
    do(staff, page(row, "give-back"), reason="paid twice")
    row.refresh_from_db()
    assert (row.state, row.tries) == ("open", 1)
    assert row.history[0]["what"] == f"{CLERK} wants the money to go back: paid twice"
    assert log() == [(CLERK, "pi_1: its money goes back. paid twice")]


def test_looking_again_is_asked_for(staff: Client) -> None:
    row = noted()
    do(staff, page(row, "look-again"), reason="mended")
    row.refresh_from_db()
    assert (row.state, row.tries, len(row.history)) == ("open", 0, 1)


def test_refunds_of_the_dashboard_are_adopted_once(staff: Client) -> None:
    evidence = {"refunds": [{"id": "re_1", "amount": 500, "status": "succeeded"}]}
    row = noted("refunded_there", evidence=evidence)
    for _ in range(2):
        do(staff, page(row, "adopt"), reason="known")
    payment = Payment.objects.get()
    assert payment.refunded_amount == 500
    assert [(r.gateway_id, r.actor) for r in payment.refunds.all()] == [("re_1", CLERK)]


def test_refund_on_its_way_is_not_adopted_yet(staff: Client) -> None:
    evidence = {"refunds": [{"id": "re_1", "amount": 500, "status": "pending"}]}
    row = noted("refunded_there", evidence=evidence)
    answer = do(staff, page(row, "adopt"), reason="known")
    assert messages_of(answer) == ["re_1 is still on its way. Nothing was changed."]
    assert (Payment.objects.get().refunded_amount, log()) == (0, [])


def test_decision_needs_a_reason(staff: Client) -> None:
    row = noted()
    answer = do(staff, page(row, "leave-be"), reason=" ")
    assert list(answer.context["form"].errors) == ["reason"]
    row.refresh_from_db()
    assert row.state == "open"


@pytest.mark.parametrize("action", ["look-again", "give-back", "adopt", "leave-be"])
def test_who_may_only_look_decides_nothing(looker: Client, action: str) -> None:
    row = noted()
    assert looker.post(page(row, action), {"reason": "x"}).status_code == 403
    assert buttons(looker, row) == set()
    row.refresh_from_db()
    assert (row.state, row.history) == ("open", [])


def test_what_the_gateway_wrote_is_shown_as_text(staff: Client) -> None:
    row = noted(evidence={"there": {"shop": "<script>alert(1)</script>"}})
    content = staff.get(page(row)).content.decode()
    assert "<script>alert" not in content
    assert "&lt;script&gt;alert" in content


def test_open_ones_are_on_the_first_page_and_on_the_desk(staff: Client) -> None:
    row = noted()
    for url in (reverse("admin:index"), reverse("admin:review_cases")):
        content = staff.get(url).content.decode()
        assert reverse("admin:payments_discrepancy_change", args=[row.pk]) in content
        assert row.why in content


def test_how_far_the_comparison_has_come_is_shown(staff: Client) -> None:
    Reconciliation.objects.create(scope="recent", failures=3, error="Stopped. GatewayBusy: no")
    listing = staff.get(reverse("admin:payments_reconciliation_changelist"))
    assert "Stopped. GatewayBusy: no" in listing.content.decode()
