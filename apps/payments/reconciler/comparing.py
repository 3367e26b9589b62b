"""What does not fit between the gateway's payment and ours. Asks nobody, writes nothing.

Money moves while we compare. So what says that *they* are behind (taken here, not there) is judged
by what we believed before they were asked, and what says that *we* are behind by what we believe
afterwards: `Books` are read twice, around the question.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.payments.gateway import GatewayRefund, Intent, IntentStatus
from apps.payments.ledger import RANK, Contradiction, Learnt, learnt_from
from apps.payments.models import Discrepancy, Payment, Refund
from storefront.money import for_people

Kind = Discrepancy.Kind
S = Payment.Status

# An intent this young may belong to something that is being done right now. It also covers a clock
# of theirs that goes wrong by some minutes.
GRACE = timedelta(minutes=10)
MAY_COME_ALIVE = (
    IntentStatus.REQUIRES_CONFIRMATION,
    IntentStatus.REQUIRES_ACTION,
    IntentStatus.PROCESSING,
    IntentStatus.REQUIRES_CAPTURE,
)
ON_ITS_WAY = ("pending", "requires_action")
OF_REFUNDS = (Kind.REFUNDED_THERE, Kind.REFUND_LOST)
GIVEN_BACK = (Kind.NO_PAYMENT, Kind.SECOND_CHARGE, Kind.GIVEN_UP)  # without asking a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What tells our payments at the gateway from those of others, and from those being made.

    `born_at` is when our books began: a payment that carries our mark and is older was made by
    another database of this address.
    """

    mark: str
    born_at: datetime
    now: datetime

    def made(self, intent: Intent) -> bool:
        return intent.shop == self.mark and intent.created_at >= self.born_at

    def is_settled_in(self, intent: Intent) -> bool:
        """Whether it is so old that nobody is still about to write it down."""
        return intent.created_at <= self.now - GRACE


@dataclass(frozen=True, slots=True)
class Books:
    """Our side of one payment at one moment."""

    payment: Payment | None = None
    refunds: Sequence[Refund] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that does not fit. `ours_to_end`: nobody need be asked to give the money back."""

    kind: str
    why: str
    evidence: dict[str, Any] = field(default_factory=dict)
    ours_to_end: bool = False


def to_settle(payment: Payment, intent: Intent) -> Learnt | None:
    """What `intent` tells that our books do not have yet; None when nothing, or when in doubt."""
    if 0 < intent.amount_received != payment.amount:
        return None  # somebody took a part of it: a person looks first
    try:
        learnt = learnt_from(payment, intent)
    except Contradiction:
        return None
    ahead = (
        RANK[S(learnt.status)] > RANK[S(payment.status)]
        or payment.intent_id is None
        or (learnt.captured_amount or 0) > payment.captured_amount
    )
    return learnt if ahead else None


def doubtful(intent: Intent, payment: Payment | None, ours: Ours) -> bool:
    """Whether a listed payment deserves a closer look, once what it told is settled."""
    if payment is None:
        return ours.made(intent) and _alive_at_a_glance(intent) and ours.is_settled_in(intent)
    if payment.intent_id not in (None, intent.id) or payment.status == S.VOIDED:
        return _alive_at_a_glance(intent) and ours.is_settled_in(intent)
    return (
        (intent.amount, intent.currency) != (payment.amount, payment.currency)
        or intent.amount_received != payment.captured_amount
        or intent.amount_refunded != payment.refunded_amount
        or intent.disputed
    )


def differences(
    intent: Intent, there: Sequence[GatewayRefund], *, before: Books, after: Books, ours: Ours
) -> list[Found]:
    """What does not fit. `there` are the gateway's refunds of `intent`."""
    payment = after.payment
    if payment is None:
        return _without_payment(intent, there, ours)
    if payment.intent_id not in (None, intent.id):
        return _second_charge(intent, there, payment, ours)
    evidence = evidence_of(intent, there, payment)
    found: list[Found] = []
    if (intent.amount, intent.currency) != (payment.amount, payment.currency):
        why = (
            f"The gateway's payment is over {for_people(intent.amount, intent.currency)},"
            f" ours over {for_people(payment.amount, payment.currency)}."
        )
        return [Found(Kind.OTHER_TERMS, why, evidence)]
    if intent.disputed:
        why = "The card holder disputes the charge with the bank."
        found.append(Found(Kind.DISPUTED, why, {"disputed": True}))
    believed = before.payment or payment
    if believed.status == S.VOIDED and _alive(intent, there):
        if ours.is_settled_in(intent):
            why = f"Ours is given up; the gateway's payment is {_words(intent.status)}."
            found.append(Found(Kind.GIVEN_UP, why, evidence, ours_to_end=ours.made(intent)))
    else:
        found += _of_taking(intent, believed, payment, evidence)
    found += _of_refunds(intent, there, before, after)
    return found


def unknown_there(payment: Payment) -> Found:
    """The gateway has shown us this payment once, and now does not know it."""
    return Found(
        Kind.UNKNOWN_THERE,
        f"{payment.intent_id} is {payment.status} here, and the gateway does not know it.",
        {"here": _here(payment)},
    )


def kept(intent: Intent, there: Iterable[GatewayRefund]) -> int:
    """What the gateway took and has not given back, minor units."""
    return intent.amount_received - sum(r.amount for r in there if r.status == "succeeded")


def unknown_refunds(there: Iterable[GatewayRefund], books: Books) -> list[GatewayRefund]:
    """Refunds at the gateway that are none of ours, made there by somebody."""
    known = {str(refund.pk) for refund in books.refunds}
    known_there = {refund.gateway_id for refund in books.refunds}
    return [
        sent
        for sent in there
        if sent.status in ("succeeded", *ON_ITS_WAY)
        and sent.metadata.get("refund_id") not in known
        and sent.id not in known_there
    ]


def refunds_add_up(intent: Intent, there: Sequence[GatewayRefund], books: Books) -> bool:
    """Whether refunds by others and lost ones are all that the two sums of refunds differ by.

    Not while a refund of ours has gone through there and we do not know it yet.
    """
    if books.payment is None:
        return False
    by_others = sum(sent.amount for sent in unknown_refunds(there, books))
    lost = sum(refund.amount for refund in _lost_refunds(there, books))
    return intent.amount_refunded == books.payment.refunded_amount + by_others - lost


def _without_payment(intent: Intent, there: Sequence[GatewayRefund], ours: Ours) -> list[Found]:
    if not (ours.made(intent) and ours.is_settled_in(intent) and _alive(intent, there)):
        return []
    why = f"It carries our mark and is {_words(intent.status)}, and no payment of ours has its id."
    return [Found(Kind.NO_PAYMENT, why, evidence_of(intent, there, None), ours_to_end=True)]


def _second_charge(
    intent: Intent, there: Sequence[GatewayRefund], payment: Payment, ours: Ours
) -> list[Found]:
    if not (ours.is_settled_in(intent) and _alive(intent, there)):
        return []
    why = f"It is {_words(intent.status)}, and the payment it is for has {payment.intent_id}."
    evidence = evidence_of(intent, there, payment)
    return [Found(Kind.SECOND_CHARGE, why, evidence, ours_to_end=ours.made(intent))]


def _of_taking(
    intent: Intent, believed: Payment, payment: Payment, evidence: dict[str, Any]
) -> list[Found]:
    taken, ours = intent.amount_received, believed.captured_amount
    if intent.status == IntentStatus.CANCELED and ours > 0:
        why = f"{for_people(ours, payment.currency)} are taken here; there it is cancelled."
        return [Found(Kind.CANCELLED_THERE, why, evidence)]
    if taken < ours or (taken > 0 and taken not in (payment.captured_amount, ours)):
        why = (
            f"{for_people(taken, intent.currency)} are taken there,"
            f" {for_people(payment.captured_amount, payment.currency)} here."
        )
        return [Found(Kind.OTHER_CAPTURE, why, evidence)]
    return []


def _of_refunds(
    intent: Intent, there: Sequence[GatewayRefund], before: Books, after: Books
) -> list[Found]:
    found = []
    by_others = unknown_refunds(there, after)
    if by_others:
        amount = for_people(sum(sent.amount for sent in by_others), intent.currency)
        evidence = {
            "refunds": [
                {"id": sent.id, "amount": sent.amount, "status": sent.status} for sent in by_others
            ]
        }
        why = f"{amount} went back by no refund of ours, by somebody at the gateway's dashboard."
        found.append(Found(Kind.REFUNDED_THERE, why, evidence))
    lost = _lost_refunds(there, before)
    if lost:
        amount = for_people(sum(refund.amount for refund in lost), intent.currency)
        evidence = {"refunds": sorted(str(refund.pk) for refund in lost)}
        why = f"{amount} went back by our books, and not, or not for good, by the gateway's."
        found.append(Found(Kind.REFUND_LOST, why, evidence))
    return found


def _lost_refunds(there: Sequence[GatewayRefund], before: Books) -> list[Refund]:
    by_id = {sent.id: sent for sent in there}
    by_ours = {sent.metadata.get("refund_id"): sent for sent in there}
    lost = []
    for refund in before.refunds:
        if refund.status != Refund.Status.SUCCEEDED:
            continue
        sent = by_id.get(refund.gateway_id or "") or by_ours.get(str(refund.pk))
        if sent is None or sent.status in ("failed", "canceled"):
            lost.append(refund)
    return lost


def _alive_at_a_glance(intent: Intent) -> bool:
    return intent.status in MAY_COME_ALIVE or intent.amount_received > intent.amount_refunded


def _alive(intent: Intent, there: Iterable[GatewayRefund]) -> bool:
    return intent.status in MAY_COME_ALIVE or kept(intent, there) > 0


def _words(status: str) -> str:
    return str(status).replace("_", " ")


def evidence_of(
    intent: Intent, there: Iterable[GatewayRefund], payment: Payment | None
) -> dict[str, Any]:
    """Both sides, as a person wants to see them; the same again while nothing changes."""
    evidence: dict[str, Any] = {
        "there": {
            "id": intent.id,
            "status": str(intent.status),
            "amount": intent.amount,
            "currency": intent.currency,
            "received": intent.amount_received,
            "refunded": sum(sent.amount for sent in there if sent.status == "succeeded"),
            "payment_id": intent.payment_id,
            "order_id": intent.order_id,
            "shop": intent.shop,
            "created_at": intent.created_at.isoformat(),
        }
    }
    if payment is not None:
        evidence["here"] = _here(payment)
    return evidence


def _here(payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": str(payment.pk),
        "order_id": str(payment.order_id),
        "intent_id": payment.intent_id,
        "status": str(payment.status),
        "amount": payment.amount,
        "currency": payment.currency,
        "captured": payment.captured_amount,
        "refunded": payment.refunded_amount,
    }


def uuid_or_none(value: str | None) -> UUID | None:
    """A payment's id as the gateway's metadata carries it; None when it is none of ours."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
