"""The operations on PaymentIntents: Stripe's life cycle of a payment.

    requires_payment_method ─► requires_confirmation ─► (confirm)
        ├─ approved, manual capture      ─► requires_capture ─► capture ─► succeeded
        ├─ approved, automatic capture   ─► succeeded
        ├─ wants 3-D Secure              ─► requires_action ─► approve ─► as above
        │                                                 └─► refuse  ─► requires_payment_method
        └─ declined                      ─► requires_payment_method, 402 card_error
    anything but succeeded, processing   ─► cancel ─► canceled

Operations are synchronous: between reading a payment and changing it nothing else runs.
"""

from __future__ import annotations

from typing import Any

from tools.stripe_sandbox import balance, intent_attempts, objects, params
from tools.stripe_sandbox.faults import PAID_WITH, metadata_of_token
from tools.stripe_sandbox.intent_charges import latest_charge, release
from tools.stripe_sandbox.intent_params import CANCEL, CAPTURE, CONFIRM, CREATE, UPDATE
from tools.stripe_sandbox.protocol import ApiError, missing_resource
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import DELETE_METADATA, INSERT_METADATA, Record


def find(context: RequestContext, id: str) -> Record:
    record = context.store.get(id, "payment_intent")
    if record is None:
        raise missing_resource("payment_intent", id)
    return record


def create(context: RequestContext) -> dict[str, Any]:
    given = params.check(context.call.params, CREATE, required=("amount", "currency"))
    params.check_smallest_charge(given["amount"], given["currency"])
    params.check_step(given["amount"], given["currency"], "amount")
    confirm = given.get("confirm", False)
    if not confirm:
        for name in ("return_url", "off_session", "error_on_requires_action"):
            if name in given:
                raise ApiError(
                    400,
                    f"You can only set `{name}` if `confirm` is set to `true`.",
                    code="parameter_unknown",
                    param=name,
                )
    if confirm and "payment_method" not in given:
        raise ApiError(
            400,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    automatic = given.get("automatic_payment_methods")
    token = _token(given["payment_method"]) if "payment_method" in given else None
    may_redirect = (
        automatic and automatic.get("enabled") and automatic.get("allow_redirects") != ("never")
    )
    if confirm and may_redirect and "return_url" not in given:
        raise ApiError(
            400,
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`.",
            param="return_url",
        )
    metadata = {key: value for key, value in given.get("metadata", {}).items() if value != ""}
    shown = objects.payment_intent(
        id=objects.new_id("pi"),
        created=context.now,
        amount=given["amount"],
        currency=given["currency"],
        capture_method=given.get("capture_method", "automatic_async"),
        confirmation_method=given.get("confirmation_method", "automatic"),
        automatic_payment_methods=automatic,
        description=given.get("description"),
        metadata=metadata,
        payment_method=objects.payment_method_id(token) if token else None,
        payment_method_types=given.get("payment_method_types", ["card"]),
        receipt_email=given.get("receipt_email"),
        shipping=given.get("shipping"),
        statement_descriptor_suffix=given.get("statement_descriptor_suffix"),
    )
    faults = metadata_of_token(given.get("payment_method"))
    record = context.store.add("payment_intent", shown, kept={"faults": faults} if faults else {})
    for key, value in metadata.items():
        if not key.startswith("sandbox_fault"):
            context.store.execute_later(INSERT_METADATA, key, value, record.id)
    if token:
        shown["status"] = "requires_confirmation"
    context.emit("payment_intent.created", shown)
    if confirm:
        intent_attempts.start(context, record, given)
    return shown


def update(context: RequestContext) -> dict[str, Any]:
    record = find(context, context.call.id)
    given = params.check(context.call.params, UPDATE)
    for name in ("description", "receipt_email"):
        if name in given:
            record.shown[name] = given[name]
    if "metadata" in given:
        _merge_metadata(context, record, given["metadata"])
    context.store.changed(record)
    return record.shown


def confirm(context: RequestContext) -> dict[str, Any]:
    record = find(context, context.call.id)
    given = params.check(context.call.params, CONFIRM)
    if record.shown["status"] not in ("requires_payment_method", "requires_confirmation"):
        raise _unexpected_state(record, "confirm", "requires_payment_method, requires_confirmation")
    if "payment_method" in given:
        record.shown["payment_method"] = objects.payment_method_id(_token(given["payment_method"]))
        record.kept["faults"] = metadata_of_token(given["payment_method"])
    elif record.shown["payment_method"] is None:
        raise ApiError(
            400,
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=record.shown,
            stored=True,
        )
    intent_attempts.start(context, record, given)
    return record.shown


def capture(context: RequestContext) -> dict[str, Any]:
    record = find(context, context.call.id)
    given = params.check(context.call.params, CAPTURE)
    shown = record.shown
    if shown["status"] != "requires_capture":
        raise _unexpected_state(record, "capture", "requires_capture")
    amount = given.get("amount_to_capture", shown["amount_capturable"])
    if amount > shown["amount_capturable"]:
        raise ApiError(
            400,
            f"Amount to capture ({amount}) exceeds the capturable amount "
            f"({shown['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
            payment_intent=shown,
            stored=True,
        )
    if given.get("final_capture") is False:
        raise ApiError(
            400,
            "This PaymentIntent does not support multicapture.",
            param="final_capture",
            stored=True,
        )
    params.check_step(amount, shown["currency"], "amount_to_capture")
    if "metadata" in given:
        _merge_metadata(context, record, given["metadata"])
    return take(context, record, amount)


def take(context: RequestContext, record: Record, amount: int) -> dict[str, Any]:
    """Capture `amount` of an authorized payment; what is left of it is released for good."""
    shown = record.shown
    charge = latest_charge(context, record)
    charge.shown.update(
        captured=True,
        amount_captured=amount,
        balance_transaction=balance.transaction_id(charge.id),
    )
    charge.kept["captured_at"] = context.now
    context.store.changed(charge)
    context.emit(
        "charge.captured", charge.shown, previous={"captured": False, "amount_captured": 0}
    )
    release(context, charge)
    shown.update(status="succeeded", amount_capturable=0, amount_received=amount)
    context.store.changed(record)
    context.emit("payment_intent.succeeded", shown)
    return shown


def cancel(context: RequestContext) -> dict[str, Any]:
    record = find(context, context.call.id)
    given = params.check(context.call.params, CANCEL)
    shown = record.shown
    if shown["status"] in ("succeeded", "processing", "canceled"):
        raise _unexpected_state(
            record,
            "cancel",
            "requires_payment_method, requires_capture, requires_confirmation, requires_action",
        )
    if shown["status"] == "requires_capture":
        release(context, latest_charge(context, record))
    shown.update(
        status="canceled",
        amount_capturable=0,
        canceled_at=context.now,
        cancellation_reason=given.get("cancellation_reason"),
        next_action=None,
    )
    context.store.changed(record)
    context.emit("payment_intent.canceled", shown)
    return shown


def _token(id: str) -> str:
    token = "pm_card_visa" if id.startswith(PAID_WITH) else objects.TOKENS.get(id)
    if token is None:
        raise missing_resource("PaymentMethod", id, param="payment_method")
    return token


def _merge_metadata(context: RequestContext, record: Record, given: dict[str, str]) -> None:
    metadata = record.shown["metadata"]
    for key, value in given.items():
        if key in metadata:
            context.store.execute_later(DELETE_METADATA, metadata[key], key, record.id)
        if value == "":
            metadata.pop(key, None)
        else:
            metadata[key] = value
            context.store.execute_later(INSERT_METADATA, key, value, record.id)


def _unexpected_state(record: Record, verb: str, allowed: str) -> ApiError:
    status = record.shown["status"]
    if verb == "capture":
        message = (
            f"This PaymentIntent could not be captured because it has a status of {status}. Only "
            f"a PaymentIntent with one of the following statuses may be captured: {allowed}."
        )
    else:
        message = (
            f"You cannot {verb} this PaymentIntent because it has a status of {status}. Only a "
            f"PaymentIntent with one of the following statuses may be {verb}ed: {allowed}."
        )
    return ApiError(
        400,
        message,
        code="payment_intent_unexpected_state",
        payment_intent=record.shown,
        stored=True,
    )
