"""Every webhook is lost: one comparison with the gateway, and all orders go on."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from apps.payments.models import Payment, Reconciliation
from apps.payments.tasks import reconcile
from tests.orders.purchases import TOTAL, Shop
from tests.payments.books import a_charge, there

pytestmark = pytest.mark.usefixtures("aged")


@pytest.mark.usefixtures("declines_are_final")
def test_mixed_batch_whose_webhooks_are_all_lost_is_settled_by_one_comparison(shop: Shop) -> None:
    paid = [shop.place() for _ in range(2)]
    declined = shop.place(card="pm_card_visa_chargeDeclined")
    approved = [shop.place(card="pm_card_threeDSecure2Required") for _ in range(2)]
    refused = shop.place(card="pm_card_threeDSecure2Required")
    too_dear = shop.place(card="pm_card_threeDSecureRequiredChargeDeclined")
    waiting = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    for order_id in (*approved, too_dear):
        shop.answer_challenge(order_id, "approve")
    shop.answer_challenge(refused, "refuse")
    orphan = a_charge(shop, captured=True)
    assert {shop.order(order_id).status for order_id in (*approved, refused, too_dear)} == {
        "REQUIRES_ACTION"
    }

    reconcile()
    shop.run()

    for order_id in (*paid, *approved):
        shop.assert_confirmed(order_id)
    for order_id in (declined, refused, too_dear):
        shop.assert_cancelled(order_id)
    assert shop.order(waiting).status == "REQUIRES_ACTION"
    assert there(shop, orphan) == ("succeeded", 2500, 2500)
    assert Payment.objects.filter(status="captured", captured_amount=TOTAL).count() == 4
    shop.assert_audit_clean()


def test_first_minute_compares_everything_and_the_next_does_not(shop: Shop) -> None:
    reconcile()
    began = Reconciliation.objects.get(scope="all").started_at
    reconcile()
    every = Reconciliation.objects.order_by("scope")
    assert [(run.scope, run.phase) for run in every] == [
        ("all", "idle"),
        ("open", "idle"),
        ("recent", "idle"),
    ]
    assert Reconciliation.objects.get(scope="all").started_at == began


def test_gateway_that_is_away_ends_the_task_quietly(shop: Shop) -> None:
    shop.sandbox.faults({"fault": "outage"})
    reconcile()
    assert Reconciliation.objects.get(scope="recent").failures == 1


# --- manage.py reconcile --------------------------------------------------------------------------


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("reconcile", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_command_says_what_it_compared_and_what_is_open(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    second = a_charge(shop, payment=shop.payment(order_id), mark=None)

    lines = said("--all").splitlines()

    assert "all: done, 2 compared, 0 settled" in lines
    assert lines[-2].startswith(f"open  a second charge for a payment: {second}: It is requires")
    assert lines[-1] == "1 open discrepancies"


@pytest.mark.parametrize(
    ("since", "compared"), [("12h", 1), ("2020-01-01", 1), ("2999-01-01T00:00Z", 0)]
)
def test_command_compares_what_is_younger_than(shop: Shop, since: str, compared: int) -> None:
    shop.place_confirmed()
    assert f"all: done, {compared} compared" in said("--since", since)


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "5y"])
def test_command_names_a_moment_that_is_none(shop: Shop, since: str) -> None:
    with pytest.raises(Exception, match=f"--since {since}"):
        said("--since", since)


def test_command_stops_with_one_line_when_the_gateway_is_away(shop: Shop) -> None:
    shop.sandbox.faults({"fault": "outage"})
    out = StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("reconcile", stdout=out, stderr=out)
    assert left.value.code == 1
    assert "Stopped, and goes on from here next time. GatewayOutcomeUnknown" in out.getvalue()
