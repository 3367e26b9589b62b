"""Refunds: never more than what is left of the capture, whoever asks at the same time."""

from __future__ import annotations

from typing import Any

from apps.payments.sandbox import intents, objects, params
from apps.payments.sandbox.cards import CARDS
from apps.payments.sandbox.store import Record
from apps.payments.sandbox.wire import ApiError, missing_resource
from apps.payments.sandbox.world import Work

CREATE: params.Schema = {
    "amount": params.amount,
    "charge": params.string(),
    "payment_intent": params.string(),
    "metadata": params.metadata,
    "reason": params.one_of("duplicate", "fraudulent", "requested_by_customer"),
    "currency": params.not_played,
    "customer": params.not_played,
    "instructions_email": params.not_played,
    "origin": params.not_played,
    "refund_application_fee": params.not_played,
    "reverse_transfer": params.not_played,
}


def create(work: Work) -> dict[str, Any]:
    given = params.check(work.call.params, CREATE)
    if "charge" not in given and "payment_intent" not in given:
        raise ApiError(
            400,
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    charge = _charge(work, given)
    shown = charge.shown
    left = shown["amount"] - shown["amount_refunded"]
    if left <= 0:
        raise ApiError(
            400,
            f"Charge {charge.id} has already been refunded.",
            code="charge_already_refunded",
            stored=True,
        )
    amount = given.get("amount", left)
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
        created=work.now,
        charge=shown,
        amount=amount,
        status="pending" if fate == "pending" else "succeeded",
        reason=given.get("reason"),
        metadata={key: value for key, value in given.get("metadata", {}).items() if value != ""},
    )
    record = work.store.add("refund", refund, parent=shown["payment_intent"])
    before = {"amount_refunded": shown["amount_refunded"], "refunded": shown["refunded"]}
    shown["amount_refunded"] += amount
    shown["refunded"] = shown["amount_refunded"] == shown["amount"]
    intents.show_refund(charge, refund)
    work.store.changed(charge)
    work.emit("refund.created", refund)
    work.emit("charge.refunded", shown, previous=before)
    answer = dict(refund)
    # Stripe's two cards whose refunds change their mind do so moments after the answer; here the
    # answer shows the first state and the object already stands at the second.
    if fate == "pending":
        refund["status"] = "succeeded"
        work.store.changed(record)
        work.emit("refund.updated", refund, previous={"status": "pending"})
    elif fate == "failed":
        refund.update(status="failed", failure_reason="lost_or_stolen_card")
        shown["amount_refunded"] -= amount
        shown["refunded"] = False
        work.store.changed(record)
        work.store.changed(charge)
        work.emit("refund.failed", refund, previous={"status": "succeeded"})
    return answer


def find(work: Work, id: str) -> Record:
    record = work.store.get(id, "refund")
    if record is None:
        raise missing_resource("refund", id, param="id")
    return record


def _charge(work: Work, given: dict[str, Any]) -> Record:
    if "charge" in given:
        charge = work.store.get(given["charge"], "charge")
        if charge is None:
            raise missing_resource("charge", given["charge"], param="charge")
        if "payment_intent" in given and charge.shown["payment_intent"] != given["payment_intent"]:
            raise ApiError(400, "The charge does not belong to the PaymentIntent.", param="charge")
        if not charge.shown["captured"]:
            raise _nothing_to_refund(charge.shown["payment_intent"])
        return charge
    intent = work.store.get(given["payment_intent"], "payment_intent")
    if intent is None:
        raise missing_resource("payment_intent", given["payment_intent"], param="payment_intent")
    if intent.shown["status"] != "succeeded":
        raise _nothing_to_refund(intent.id)
    return intents.latest_charge(work, intent)


def _nothing_to_refund(intent_id: str) -> ApiError:
    return ApiError(
        400,
        f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
        stored=True,
    )
