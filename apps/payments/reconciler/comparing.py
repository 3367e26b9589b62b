"""Differences between the gateway's payment and ours. Calls no gateway, writes nothing."""

from collections.abc import Sequence
from typing import Any

from apps.core.money import for_people
from apps.payments.facts import Contradiction, PaymentFact, fact_from
from apps.payments.gateway import GatewayRefund, Intent, IntentStatus
from apps.payments.gateway_amounts import same
from apps.payments.ledger import is_news
from apps.payments.models import Payment
from apps.payments.reconciler.findings import Found, Kind, evidence_of, here
from apps.payments.reconciler.refund_sums import differences_of_refunds
from apps.payments.reconciler.two_sides import Books, Ours, alive, alive_at_a_glance

S = Payment.Status


def to_settle(payment: Payment, intent: Intent) -> PaymentFact | None:
    """What `intent` shows that our books do not have yet; None when nothing, or when unclear."""
    try:
        fact = fact_from(payment, intent)
    except Contradiction:
        return None
    return fact if is_news(payment, fact) else None


def may_differ(intent: Intent, payment: Payment | None, ours: Ours) -> bool:
    """Whether a listed payment has to be inspected, after what it shows was settled."""
    if payment is None:
        return ours.made(intent) and alive_at_a_glance(intent) and ours.is_settled_in(intent)
    if payment.intent_id not in (None, intent.id) or payment.status == S.VOIDED:
        return alive_at_a_glance(intent) and ours.is_settled_in(intent)
    return (
        not _same_terms(intent, payment)
        or not same(intent.amount_received, payment.captured_amount, payment.currency)
        or not same(intent.amount_refunded, payment.refunded_amount, payment.currency)
        or intent.disputed
    )


def _same_terms(intent: Intent, payment: Payment) -> bool:
    return intent.currency == payment.currency and same(
        intent.amount, payment.amount, payment.currency
    )


def differences(
    intent: Intent, there: Sequence[GatewayRefund], *, before: Books, after: Books, ours: Ours
) -> list[Found]:
    """All differences. `there` are the gateway's refunds of `intent`."""
    payment = after.payment
    if payment is None:
        return _without_payment(intent, there, ours)
    if payment.intent_id not in (None, intent.id):
        return _second_charge(intent, there, payment, ours)
    if payment.status == S.VOIDED and not alive(intent, there):
        return []  # nothing is kept on either side, whatever the terms were
    evidence = evidence_of(intent, there, payment)
    found: list[Found] = []
    if not _same_terms(intent, payment):
        why = (
            f"The gateway's payment is over {for_people(intent.amount, intent.currency)},"
            f" ours over {for_people(payment.amount, payment.currency)}."
        )
        return [Found(Kind.OTHER_TERMS, why, evidence)]
    if intent.disputed:
        why = "The card holder disputes the charge with the bank."
        found.append(Found(Kind.DISPUTED, why, {"disputed": True}))
    believed = before.payment or payment
    if believed.status == S.VOIDED and alive(intent, there):
        if ours.is_settled_in(intent):
            why = f"Ours is given up; the gateway's payment is {_words(intent.status)}."
            found.append(
                Found(Kind.GIVEN_UP, why, evidence, returns_itself=ours.may_return(intent))
            )
    else:
        found += _of_capture(intent, believed, payment, evidence)
    found += differences_of_refunds(intent, there, before, after)
    return found


def unknown_there(payment: Payment) -> Found:
    """The gateway showed us this payment before, and now does not know it."""
    return Found(
        Kind.UNKNOWN_THERE,
        f"{payment.intent_id} is {payment.status} here, and the gateway does not know it.",
        {"here": here(payment)},
    )


def _without_payment(intent: Intent, there: Sequence[GatewayRefund], ours: Ours) -> list[Found]:
    if not (ours.made(intent) and ours.is_settled_in(intent) and alive(intent, there)):
        return []
    why = f"It carries our mark and is {_words(intent.status)}, and no payment of ours has its id."
    evidence = evidence_of(intent, there, None)
    return [Found(Kind.NO_PAYMENT, why, evidence, returns_itself=ours.may_return(intent))]


def _second_charge(
    intent: Intent, there: Sequence[GatewayRefund], payment: Payment, ours: Ours
) -> list[Found]:
    if not (ours.is_settled_in(intent) and alive(intent, there)):
        return []
    why = f"It is {_words(intent.status)}, and the payment it is for has {payment.intent_id}."
    evidence = evidence_of(intent, there, payment)
    return [Found(Kind.SECOND_CHARGE, why, evidence, returns_itself=ours.may_return(intent))]


def _of_capture(
    intent: Intent, believed: Payment, payment: Payment, evidence: dict[str, Any]
) -> list[Found]:
    taken, ours = intent.amount_received, believed.captured_amount
    currency = payment.currency
    if intent.status == IntentStatus.CANCELED and ours > 0:
        why = f"{for_people(ours, payment.currency)} are taken here; there it is cancelled."
        return [Found(Kind.CANCELLED_THERE, why, evidence)]
    agree = same(taken, ours, currency)
    fits = agree or same(taken, payment.captured_amount, currency)
    if (taken < ours and not agree) or (taken > 0 and not fits):
        why = (
            f"{for_people(taken, intent.currency)} are taken there,"
            f" {for_people(payment.captured_amount, payment.currency)} here."
        )
        return [Found(Kind.OTHER_CAPTURE, why, evidence)]
    return []


def _words(status: str) -> str:
    return str(status).replace("_", " ")
