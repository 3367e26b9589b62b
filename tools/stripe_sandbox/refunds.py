"""Refunds: never more than what is left of the capture, also when requested concurrently."""

from __future__ import annotations

from typing import Any

from tools.stripe_sandbox import balance, objects, params
from tools.stripe_sandbox.cards import CARDS
from tools.stripe_sandbox.intent_charges import latest_charge, show_refund
from tools.stripe_sandbox.protocol import ApiError, missing_resource
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record

CREATE: params.Schema = {
    "amount": params.amount,
    "charge": params.string(),
    "payment_intent": params.string(),
    "metadata": params.metadata,
    "reason": params.one_of("duplicate", "fraudulent", "requested_by_customer"),
    "currency": params.not_simulated,
    "customer": params.not_simulated,
    "instructions_email": params.not_simulated,
    "origin": params.not_simulated,
    "refund_application_fee": params.not_simulated,
    "reverse_transfer": params.not_simulated,
}


def create(context: RequestContext) -> dict[str, Any]:
    given = params.check(context.call.params, CREATE)
    if "charge" not in given and "payment_intent" not in given:
        raise ApiError(
            400,
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    charge = _charge(context, given)
    shown = charge.shown
    whole = max(shown["amount"], shown["amount_captured"])  # more may be captured than authorized
    left = whole - shown["amount_refunded"]
    if left <= 0:
        raise ApiError(
            400,
            f"Charge {charge.id} has already been refunded.",
            code="charge_already_refunded",
            stored=True,
        )
    amount = given.get("amount", left)
    params.check_step(amount, shown["currency"], "amount")
    if amount > left:
        raise ApiError(
            400,
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
            stored=True,
        )
    fate = CARDS[objects.TOKENS[shown["payment_method"]]].refund_fate
    refund = objects.refund(
        id=objects.new_id("re"),
        created=context.now,
        charge=shown,
        amount=amount,
        status="pending" if fate == "pending" else "succeeded",
        reason=given.get("reason"),
        metadata={key: value for key, value in given.get("metadata", {}).items() if value != ""},
    )
    refund["balance_transaction"] = balance.transaction_id(refund["id"])
    record = context.store.add("refund", refund, parent=shown["payment_intent"])
    before = {"amount_refunded": shown["amount_refunded"], "refunded": shown["refunded"]}
    shown["amount_refunded"] += amount
    shown["refunded"] = shown["amount_refunded"] == whole
    show_refund(charge, refund)
    context.store.changed(charge)
    context.emit("refund.created", refund)
    context.emit("charge.refunded", shown, previous=before)
    answer = dict(refund)
    # Stripe's two cards whose refunds change their mind do so moments after the answer; here the
    # answer shows the first state and the object already stands at the second.
    if fate == "pending":
        refund["status"] = "succeeded"
        context.store.changed(record)
        context.emit("refund.updated", refund, previous={"status": "pending"})
    elif fate == "failed":
        fail(context, record, reason="lost_or_stolen_card")
    return answer


def fail(context: RequestContext, record: Record, *, reason: str) -> None:
    """The bank sends a refund back, perhaps days after it succeeded: the charge has it again."""
    refund = record.shown
    charge = context.store.get(refund["charge"], "charge")
    if charge is None:
        raise LookupError(f"{record.id} without a charge")
    before = refund["status"]
    refund.update(status="failed", failure_reason=reason)
    charge.shown["amount_refunded"] -= refund["amount"]
    charge.shown["refunded"] = False
    for listed in charge.shown["refunds"]["data"]:
        if listed["id"] == record.id:
            listed.update(status="failed", failure_reason=reason)
    context.store.changed(record)
    context.store.changed(charge)
    context.emit("refund.updated", refund, previous={"status": before})
    context.emit("refund.failed", refund, previous={"status": before})


def _charge(context: RequestContext, given: dict[str, Any]) -> Record:
    if "charge" in given:
        charge = context.store.get(given["charge"], "charge")
        if charge is None:
            raise missing_resource("charge", given["charge"], param="charge")
        if "payment_intent" in given and charge.shown["payment_intent"] != given["payment_intent"]:
            raise ApiError(400, "The charge does not belong to the PaymentIntent.", param="charge")
        if not charge.shown["captured"]:
            raise _nothing_to_refund(charge.shown["payment_intent"])
        return charge
    intent = context.store.get(given["payment_intent"], "payment_intent")
    if intent is None:
        raise missing_resource("payment_intent", given["payment_intent"], param="payment_intent")
    if intent.shown["status"] != "succeeded":
        raise _nothing_to_refund(intent.id)
    return latest_charge(context, intent)


def _nothing_to_refund(intent_id: str) -> ApiError:
    return ApiError(
        400,
        f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
        stored=True,
    )
