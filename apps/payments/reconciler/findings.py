"""A difference in words, with what both sides show: what staff read and decide on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from apps.payments.gateway import GatewayRefund, Intent
from apps.payments.models import Discrepancy, Payment

Kind = Discrepancy.Kind
OF_REFUNDS = (Kind.REFUNDED_THERE, Kind.REFUND_LOST)
RETURNED = (Kind.NO_PAYMENT, Kind.SECOND_CHARGE, Kind.GIVEN_UP)  # without a decision of staff


@dataclass(frozen=True, slots=True)
class Found:
    """One difference. `returns_itself`: the money is returned without a decision of staff."""

    kind: str
    why: str
    evidence: dict[str, Any] = field(default_factory=dict)
    returns_itself: bool = False


def evidence_of(
    intent: Intent, there: Iterable[GatewayRefund], payment: Payment | None
) -> dict[str, Any]:
    """Both sides, for staff; equal again while nothing changes."""
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
        evidence["here"] = here(payment)
    return evidence


def here(payment: Payment) -> dict[str, Any]:
    """Our side of the evidence."""
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
