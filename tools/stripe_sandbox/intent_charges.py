"""The charge of a PaymentIntent: found, its rest released, its refunds shown."""

from __future__ import annotations

from typing import Any

from tools.stripe_sandbox import objects
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record

_SHOWN_REFUNDS = 10


def latest_charge(context: RequestContext, record: Record) -> Record:
    """The charge of a PaymentIntent that has one. Raises LookupError."""
    charge = context.store.get(record.shown["latest_charge"], "charge")
    if charge is None:
        raise LookupError(f"{record.id} is {record.shown['status']} without a charge")
    return charge


def release(context: RequestContext, charge: Record) -> None:
    """Release what was authorized and not captured. Stripe records this as a refund too."""
    rest = charge.shown["amount"] - charge.shown["amount_captured"]
    if rest <= 0:
        return
    before = {"amount_refunded": charge.shown["amount_refunded"]}
    charge.shown["amount_refunded"] += rest
    charge.shown["refunded"] = charge.shown["amount_captured"] == 0
    refund = objects.refund(
        id=objects.new_id("re"),
        created=context.now,
        charge=charge.shown,
        amount=rest,
        status="succeeded",
        reason=None,
        metadata={},
    )
    context.store.add("refund", refund, parent=charge.shown["payment_intent"])
    show_refund(charge, refund)
    context.store.changed(charge)
    context.emit("charge.refunded", charge.shown, previous=before)


def show_refund(charge: Record, refund: dict[str, Any]) -> None:
    """Add a refund to those that the charge shows: the latest, ten at most."""
    listed = charge.shown["refunds"]
    listed["data"].insert(0, refund)
    listed["has_more"] = listed["has_more"] or len(listed["data"]) > _SHOWN_REFUNDS
    del listed["data"][_SHOWN_REFUNDS:]
