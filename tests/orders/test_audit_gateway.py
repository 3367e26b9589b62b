"""Invariant 5: the gateway's books against ours, and what a person left as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command

from apps.orders import audit
from apps.payments import gateway as gateways
from apps.payments.models import Discrepancy, Payment, Refund
from apps.payments.reconciler import discrepancies
from apps.payments.refunds import request_refund, send_due
from tests.orders.purchases import TOTAL, Shop, sql
from tests.payments.books import a_charge, compare, compare_all, refund_at_dashboard

# --- 5: the gateway ------------------------------------------------------------------------------


def capture_behind_our_back(shop: Shop, **metadata: str) -> str:
    client = shop.sandbox.client()
    intent = client.v1.payment_intents.create(
        {
            "amount": TOTAL,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
            "confirm": True,
            "metadata": metadata,
        }
    )
    return str(intent.id)


def at_gateway_charge_for_no_payment(shop: Shop) -> str:
    return f"{capture_behind_our_back(shop)}: 2548 taken for no payment of ours"


def at_gateway_second_charge(shop: Shop) -> str:
    order_id = shop.place_confirmed()
    payment = shop.payment(order_id)
    capture_behind_our_back(shop, payment_id=str(payment.pk), order_id=str(order_id))
    return f"a second charge for payment {payment.pk}"


def at_gateway_refund_behind_our_back(shop: Shop) -> str:
    payment = shop.payment(shop.place_confirmed())
    shop.sandbox.client().v1.refunds.create({"payment_intent": payment.intent_id, "amount": 7})
    return f"{payment.intent_id}: 7 refunded, ours 0"


def here_captured_there_not(shop: Shop) -> str:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    sql("UPDATE payments_payment SET status = 'captured', captured_amount = amount")
    return f"payment {shop.payment(order_id).pk}: captured here, unknown to the gateway"


def there_captured_here_not(shop: Shop) -> str:
    payment = shop.payment(shop.place_confirmed())
    sql("UPDATE payments_payment SET status = 'authorized', captured_amount = 0")
    return f"{payment.intent_id}: 2548 taken, ours 0"


def cancelled_there(shop: Shop) -> str:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    payment = shop.payment(order_id)
    shop.sandbox.client().v1.payment_intents.cancel(payment.intent_id)
    sql("UPDATE payments_payment SET status = 'captured', captured_amount = amount")
    return f"{payment.intent_id}: cancelled there, captured here"


def still_reserved_there(shop: Shop) -> str:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    sql("UPDATE payments_payment SET status = 'voided'")
    return f"{shop.payment(order_id).intent_id}: still reserved there, voided here"


def other_amount(shop: Shop) -> str:
    order_id = shop.place_confirmed()
    sql("UPDATE payments_payment SET amount = 3000")
    return f"{shop.payment(order_id).intent_id}: over 2548 USD, ours captured 3000 USD"


def other_currency(shop: Shop) -> str:
    order_id = shop.place_confirmed()
    sql("UPDATE payments_payment SET currency = 'EUR'")
    return f"{shop.payment(order_id).intent_id}: over 2548 USD, ours captured 2548 EUR"


@pytest.mark.parametrize(
    "difference",
    [
        at_gateway_charge_for_no_payment,
        at_gateway_second_charge,
        at_gateway_refund_behind_our_back,
        here_captured_there_not,
        there_captured_here_not,
        cancelled_there,
        still_reserved_there,
        other_amount,
        other_currency,
    ],
)
def test_difference_to_the_gateways_books_is_named(
    shop: Shop, difference: Callable[[Shop], str]
) -> None:
    words = difference(shop)
    finding = audit.check_gateway(gateways.get_gateway(), second_look_after=audit.NO_TIME)
    assert not finding.holds
    assert any(words in example for example in finding.examples), finding.examples


def test_difference_that_was_only_on_its_way_is_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has refunded, our row follows while the audit looks again."""
    order_id = shop.place_confirmed()
    request_refund(order_id, amount=5, purpose="a", reason="b", actor="c")
    refund = shop.payment(order_id).refunds.get()
    shop.sandbox.client().v1.refunds.create(
        {
            "payment_intent": shop.payment(order_id).intent_id,
            "amount": 5,
            "metadata": {"refund_id": str(refund.pk)},
        },
        {"idempotency_key": f"another:{refund.pk}"},
    )
    monkeypatch.setattr(
        audit.gateway.time,
        "sleep",
        lambda _: sql("UPDATE payments_payment SET refunded_amount = 5"),
    )
    assert audit.check_gateway(gateways.get_gateway()).holds


# --- 5: what a person left as it is ---------------------------------------------------------------


def at_gateway_second_charge_by_others(shop: Shop) -> str:
    """Without our mark, so that the reconciler does not refund it."""
    payment = shop.payment(shop.place_confirmed())
    a_charge(shop, payment=payment, captured=True, mark=None)
    return f"a second charge for payment {payment.pk}"


def at_gateway_refund_come_to_nothing(shop: Shop) -> str:
    """Ours says that it went back, and the gateway shows no refund (of a restored backup, say)."""
    payment = shop.payment(shop.place_confirmed())
    Refund.objects.create(
        payment=payment, amount=5, purpose="admin:1", actor="c", status="succeeded"
    )
    Payment.objects.update(refunded_amount=5)
    return f"{payment.intent_id}: 0 refunded, ours 5"


def at_gateway_nothing(shop: Shop) -> str:
    payment = shop.payment(shop.place_confirmed())
    shop.sandbox.control("reset", {"endpoints": True})
    return f"payment {payment.pk}: captured here, unknown to the gateway"


def books_compared() -> audit.Finding:
    return audit.check_gateway(gateways.get_gateway(), second_look_after=audit.NO_TIME)


def leave_be() -> None:
    for row in Discrepancy.objects.filter(state="open"):
        discrepancies.resolve(row.pk, actor="clerk", reason="goodwill")


@pytest.mark.parametrize(
    "difference",
    [
        at_gateway_second_charge_by_others,
        at_gateway_refund_behind_our_back,
        at_gateway_refund_come_to_nothing,
        at_gateway_nothing,
        here_captured_there_not,
        cancelled_there,
        other_amount,
        other_currency,
    ],
)
def test_difference_that_staff_left_as_it_is_does_not_count(
    shop: Shop, aged: None, difference: Callable[[Shop], str]
) -> None:
    words = difference(shop)
    compare_all()
    assert not books_compared().holds, "no one has decided yet"

    leave_be()

    finding = books_compared()
    assert (finding.violations, finding.examples) == (0, ())
    assert any(words in line for line in finding.left_be), "and is still told of"
    assert all(line.endswith("(by clerk: goodwill)") for line in finding.left_be)


@pytest.fixture
def left(shop: Shop, aged: None) -> Payment:
    """A payment of which seven cents went back at the dashboard, by goodwill."""
    at_gateway_refund_behind_our_back(shop)
    compare()
    leave_be()
    assert books_compared().holds
    return Payment.objects.get()


def test_decision_is_good_for_the_form_in_which_it_was_taken(shop: Shop, left: Payment) -> None:
    """At once: the reconciler has not opened it again yet."""
    refund_at_dashboard(shop, left.order_id, 300)
    assert Discrepancy.objects.get().state == "resolved"
    finding = books_compared()
    assert finding.examples == (f"{left.intent_id}: 307 refunded, ours 0",)
    assert finding.left_be == ()


def test_refund_of_ours_does_not_hide_behind_one_that_was_left(shop: Shop, left: Payment) -> None:
    """Succeeded there and not known here: there is no discrepancy of that kind."""
    request_refund(left.order_id, amount=5, purpose="a", reason="b", actor="c")
    shop.sandbox.faults({"fault": "reset_after", "operations": ["refunds.create"]})
    send_due()
    assert books_compared().examples == (f"{left.intent_id}: 12 refunded, ours 0",)


@pytest.mark.parametrize(
    "forged",
    [
        "DELETE FROM backoffice_decision",
        "UPDATE backoffice_decision SET decision = 'retry'",
        "UPDATE payments_discrepancy SET resolved_by = 'reconciler'",
        "UPDATE payments_discrepancy SET state = 'open', resolution = '', resolved_by = '',"
        " resolved_at = NULL",
    ],
)
def test_difference_without_a_decision_counts(shop: Shop, left: Payment, forged: str) -> None:
    assert sql(forged) == 1
    assert books_compared().violations == 1


def test_what_was_left_is_told_by_the_command(shop: Shop, left: Payment) -> None:
    out = StringIO()
    call_command("audit", stdout=out)
    line = f"left as it is: {left.intent_id}: 7 refunded, ours 0 (by clerk: goodwill)"
    assert line in out.getvalue()
    out = StringIO()
    call_command("audit", "--json", stdout=out)
    (found,) = (x for x in json.loads(out.getvalue())["invariants"] if x["number"] == 5)
    assert (found["holds"], len(found["left_be"])) == (True, 1)
