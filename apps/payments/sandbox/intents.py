"""PaymentIntents and their Charges: Stripe's life of a payment, played out.

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

from apps.payments.sandbox import objects, params
from apps.payments.sandbox.cards import CARDS
from apps.payments.sandbox.faults import PAID_WITH, metadata_of_token
from apps.payments.sandbox.store import DELETE_METADATA, INSERT_METADATA, Record
from apps.payments.sandbox.wire import ApiError, missing_resource
from apps.payments.sandbox.world import Work

_NOT_PLAYED = dict.fromkeys(
    (
        "amount_details", "application_fee_amount", "confirmation_token", "customer",
        "customer_account", "excluded_payment_method_types", "hooks", "mandate", "mandate_data",
        "on_behalf_of", "payment_details", "payment_method_configuration",
        "payment_method_data", "radar_options", "setup_future_usage", "shipping",
        "statement_descriptor", "transfer_data", "transfer_group",
    ),
    params.not_played,
)  # fmt: skip

_CONFIRMING: params.Schema = {
    "return_url": params.url,
    "off_session": params.boolean,
    "error_on_requires_action": params.boolean,
    "use_stripe_sdk": params.boolean,
    "payment_method_options": params.mapping(
        {
            "card": params.mapping(
                {"request_three_d_secure": params.one_of("any", "automatic", "challenge")}
            )
        }
    ),
}
CREATE: params.Schema = {
    **_NOT_PLAYED,
    **_CONFIRMING,
    "amount": params.amount,
    "currency": params.currency,
    "automatic_payment_methods": params.mapping(
        {"enabled": params.boolean, "allow_redirects": params.one_of("always", "never")}
    ),
    "capture_method": params.one_of("automatic", "automatic_async", "manual"),
    "confirm": params.boolean,
    "confirmation_method": params.one_of("automatic", "manual"),
    "description": params.string(1000),
    "metadata": params.metadata,
    "payment_method": params.string(),
    "payment_method_types": params.listed(params.one_of("card", "link")),
    "receipt_email": params.string(800),
    "statement_descriptor_suffix": params.string(22),
}
UPDATE: params.Schema = {
    "description": params.string(1000),
    "metadata": params.metadata,
    "receipt_email": params.string(800),
}
CONFIRM: params.Schema = {
    **_NOT_PLAYED,
    **_CONFIRMING,
    "payment_method": params.string(),
    "receipt_email": params.string(800),
}
CAPTURE: params.Schema = {
    "amount_to_capture": params.amount,
    "final_capture": params.boolean,
    "metadata": params.metadata,
    "statement_descriptor_suffix": params.string(22),
    "application_fee_amount": params.not_played,
    "transfer_data": params.not_played,
}
CANCEL: params.Schema = {
    "cancellation_reason": params.one_of(
        "duplicate", "fraudulent", "requested_by_customer", "abandoned"
    )
}
_SHOWN_REFUNDS = 10


def find(work: Work, id: str) -> Record:
    record = work.store.get(id, "payment_intent")
    if record is None:
        raise missing_resource("payment_intent", id)
    return record


def create(work: Work) -> dict[str, Any]:
    given = params.check(work.call.params, CREATE, required=("amount", "currency"))
    params.check_smallest_charge(given["amount"], given["currency"])
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
        created=work.now,
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
        statement_descriptor_suffix=given.get("statement_descriptor_suffix"),
    )
    faults = metadata_of_token(given.get("payment_method"))
    record = work.store.add("payment_intent", shown, kept={"faults": faults} if faults else {})
    for key, value in metadata.items():
        if not key.startswith("sandbox_fault"):
            work.store.execute_later(INSERT_METADATA, key, value, record.id)
    if token:
        shown["status"] = "requires_confirmation"
    work.emit("payment_intent.created", shown)
    if confirm:
        _confirm(work, record, given)
    return shown


def update(work: Work) -> dict[str, Any]:
    record = find(work, work.call.id)
    given = params.check(work.call.params, UPDATE)
    for name in ("description", "receipt_email"):
        if name in given:
            record.shown[name] = given[name]
    if "metadata" in given:
        _merge_metadata(work, record, given["metadata"])
    work.store.changed(record)
    return record.shown


def confirm(work: Work) -> dict[str, Any]:
    record = find(work, work.call.id)
    given = params.check(work.call.params, CONFIRM)
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
    _confirm(work, record, given)
    return record.shown


def capture(work: Work) -> dict[str, Any]:
    record = find(work, work.call.id)
    given = params.check(work.call.params, CAPTURE)
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
    if "metadata" in given:
        _merge_metadata(work, record, given["metadata"])
    charge = latest_charge(work, record)
    charge.shown.update(captured=True, amount_captured=amount)
    work.store.changed(charge)
    work.emit("charge.captured", charge.shown, previous={"captured": False, "amount_captured": 0})
    release(work, charge)
    shown.update(status="succeeded", amount_capturable=0, amount_received=amount)
    work.store.changed(record)
    work.emit("payment_intent.succeeded", shown)
    return shown


def cancel(work: Work) -> dict[str, Any]:
    record = find(work, work.call.id)
    given = params.check(work.call.params, CANCEL)
    shown = record.shown
    if shown["status"] in ("succeeded", "processing", "canceled"):
        raise _unexpected_state(
            record,
            "cancel",
            "requires_payment_method, requires_capture, requires_confirmation, requires_action",
        )
    if shown["status"] == "requires_capture":
        release(work, latest_charge(work, record))
    shown.update(
        status="canceled",
        amount_capturable=0,
        canceled_at=work.now,
        cancellation_reason=given.get("cancellation_reason"),
        next_action=None,
    )
    work.store.changed(record)
    work.emit("payment_intent.canceled", shown)
    return shown


def decide(work: Work, record: Record, *, approved: bool) -> dict[str, Any]:
    """The card holder answered the 3-D Secure challenge. A second answer changes nothing."""
    shown = record.shown
    if shown["status"] != "requires_action":
        return shown
    token = objects.TOKENS[shown["payment_method"]]
    shown["next_action"] = None
    if approved and not CARDS[token].authentication_error:
        _attempt(work, record, authenticated=True)
        return shown
    _fail(
        work,
        record,
        {
            "code": "payment_intent_authentication_failure",
            "doc_url": "https://docs.stripe.com/error-codes/payment-intent-authentication-failure",
            "message": "The provided PaymentMethod has failed authentication. You can provide "
            "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent "
            "again.",
            "type": "invalid_request_error",
        },
    )
    return shown


def latest_charge(work: Work, record: Record) -> Record:
    charge = work.store.get(record.shown["latest_charge"], "charge")
    if charge is None:
        raise LookupError(f"{record.id} stands at {record.shown['status']} without a charge")
    return charge


def release(work: Work, charge: Record) -> None:
    """Give back what was authorized and not captured. Stripe books this as a refund too."""
    rest = charge.shown["amount"] - charge.shown["amount_captured"]
    if rest == 0:
        return
    before = {"amount_refunded": charge.shown["amount_refunded"]}
    charge.shown["amount_refunded"] += rest
    charge.shown["refunded"] = charge.shown["amount_captured"] == 0
    refund = objects.refund(
        id=objects.new_id("re"),
        created=work.now,
        charge=charge.shown,
        amount=rest,
        status="succeeded",
        reason=None,
        metadata={},
    )
    work.store.add("refund", refund, parent=charge.shown["payment_intent"])
    show_refund(charge, refund)
    work.store.changed(charge)
    work.emit("charge.refunded", charge.shown, previous=before)


def show_refund(charge: Record, refund: dict[str, Any]) -> None:
    """A charge carries its latest refunds along, ten at most."""
    listed = charge.shown["refunds"]
    listed["data"].insert(0, refund)
    listed["has_more"] = listed["has_more"] or len(listed["data"]) > _SHOWN_REFUNDS
    del listed["data"][_SHOWN_REFUNDS:]


def _confirm(work: Work, record: Record, given: dict[str, Any]) -> None:
    shown = record.shown
    card = CARDS[objects.TOKENS[shown["payment_method"]]]
    shown["last_payment_error"] = None
    if "receipt_email" in given:
        shown["receipt_email"] = given["receipt_email"]
    asked = given.get("payment_method_options", {}).get("card", {}).get("request_three_d_secure")
    challenge = card.authenticate or (
        asked in ("any", "challenge") and card.three_d_secure_supported
    )
    if not challenge:
        _attempt(work, record, authenticated=False)
        return
    if given.get("off_session") or given.get("error_on_requires_action"):
        raise _fail(
            work,
            record,
            {
                "code": "card_declined" if given.get("off_session") else "authentication_required",
                "decline_code": "authentication_required",
                "doc_url": "https://docs.stripe.com/error-codes/authentication-required",
                "message": "Your card was declined. This transaction requires authentication.",
                "type": "card_error",
            },
        )
    secret = objects.new_secret(32)
    record.kept.update(challenge=secret, return_url=given.get("return_url"))
    shown["status"] = "requires_action"
    page = f"{work.call.base_url}/3d-secure/{record.id}/{secret}"
    if given.get("return_url"):
        shown["next_action"] = {
            "redirect_to_url": {"return_url": given["return_url"], "url": page},
            "type": "redirect_to_url",
        }
    else:
        shown["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"stripe_js": page, "type": "three_d_secure_redirect"},
        }
    work.store.changed(record)
    work.emit("payment_intent.requires_action", shown)


def _attempt(work: Work, record: Record, *, authenticated: bool) -> None:
    """Try the charge. Raises the decline, after the payment has taken note of it."""
    shown = record.shown
    token = objects.TOKENS[shown["payment_method"]]
    manual = shown["capture_method"] == "manual"
    charge = objects.charge(
        id=objects.new_id("ch"),
        created=work.now,
        intent=shown,
        token=token,
        captured=not manual,
        authenticated=authenticated,
    )
    work.store.add("charge", charge, parent=record.id)
    shown["latest_charge"] = charge["id"]
    decline = CARDS[token].decline
    if decline is not None:
        work.emit("charge.failed", charge)
        error: dict[str, Any] = {"charge": charge["id"], "code": decline.code}
        if decline.decline_code:
            error["decline_code"] = decline.decline_code
        error["doc_url"] = f"https://docs.stripe.com/error-codes/{decline.code.replace('_', '-')}"
        error["message"] = decline.message
        error["type"] = "card_error"
        refusal = _fail(work, record, error)
        if work.call.operation.startswith("payment_intents."):
            raise refusal
        return
    work.store.changed(record)
    work.emit("charge.succeeded", charge)
    if manual:
        shown.update(status="requires_capture", amount_capturable=shown["amount"])
        work.emit("payment_intent.amount_capturable_updated", shown)
    else:
        shown.update(status="succeeded", amount_received=shown["amount"])
        work.emit("payment_intent.succeeded", shown)


def _fail(work: Work, record: Record, error: dict[str, Any]) -> ApiError:
    """The attempt failed: note it on the payment, which may be tried again with another card."""
    shown = record.shown
    error["payment_method"] = objects.payment_method(objects.TOKENS[shown["payment_method"]])
    shown.update(
        status="requires_payment_method",
        last_payment_error=error,
        next_action=None,
        payment_method=None,
    )
    work.store.changed(record)
    work.emit("payment_intent.payment_failed", shown)
    return ApiError(
        402,
        error["message"],
        type=error["type"],
        code=error["code"],
        decline_code=error.get("decline_code"),
        charge=error.get("charge"),
        payment_intent=shown,
        payment_method=error["payment_method"],
        stored=True,
    )


def _token(id: str) -> str:
    token = "pm_card_visa" if id.startswith(PAID_WITH) else objects.TOKENS.get(id)
    if token is None:
        raise missing_resource("PaymentMethod", id, param="payment_method")
    return token


def _merge_metadata(work: Work, record: Record, given: dict[str, str]) -> None:
    metadata = record.shown["metadata"]
    for key, value in given.items():
        if key in metadata:
            work.store.execute_later(DELETE_METADATA, metadata[key], key, record.id)
        if value == "":
            metadata.pop(key, None)
        else:
            metadata[key] = value
            work.store.execute_later(INSERT_METADATA, key, value, record.id)


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
