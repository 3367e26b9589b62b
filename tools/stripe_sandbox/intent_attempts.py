"""An attempt to pay: confirmed, challenged by 3-D Secure, then approved or declined."""

from __future__ import annotations

from typing import Any

from tools.stripe_sandbox import balance, objects
from tools.stripe_sandbox.cards import CARDS
from tools.stripe_sandbox.protocol import ApiError
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record


def start(context: RequestContext, record: Record, given: dict[str, Any]) -> None:
    """Confirm a PaymentIntent: challenge its card, or try the charge. Raises the decline."""
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
        _attempt(context, record, authenticated=False)
        return
    if given.get("off_session") or given.get("error_on_requires_action"):
        raise _fail(
            context,
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
    page = f"{context.call.base_url}/3d-secure/{record.id}/{secret}"
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
    context.store.changed(record)
    context.emit("payment_intent.requires_action", shown)


def _attempt(context: RequestContext, record: Record, *, authenticated: bool) -> None:
    """Try the charge. Raises the decline, after it was recorded on the PaymentIntent."""
    shown = record.shown
    token = objects.TOKENS[shown["payment_method"]]
    manual = shown["capture_method"] == "manual"
    charge = objects.charge(
        id=objects.new_id("ch"),
        created=context.now,
        intent=shown,
        token=token,
        captured=not manual,
        authenticated=authenticated,
    )
    context.store.add("charge", charge, parent=record.id)
    shown["latest_charge"] = charge["id"]
    decline = CARDS[token].decline
    if decline is not None:
        context.emit("charge.failed", charge)
        error: dict[str, Any] = {"charge": charge["id"], "code": decline.code}
        if decline.decline_code:
            error["decline_code"] = decline.decline_code
        error["doc_url"] = f"https://docs.stripe.com/error-codes/{decline.code.replace('_', '-')}"
        error["message"] = decline.message
        error["type"] = "card_error"
        refusal = _fail(context, record, error)
        if context.call.operation.startswith("payment_intents."):
            raise refusal
        return
    context.store.changed(record)
    if not manual:
        charge["balance_transaction"] = balance.transaction_id(charge["id"])
    context.emit("charge.succeeded", charge)
    if manual:
        shown.update(status="requires_capture", amount_capturable=shown["amount"])
        context.emit("payment_intent.amount_capturable_updated", shown)
    else:
        shown.update(status="succeeded", amount_received=shown["amount"])
        context.emit("payment_intent.succeeded", shown)


def _fail(context: RequestContext, record: Record, error: dict[str, Any]) -> ApiError:
    """Record a failed attempt; the PaymentIntent may be confirmed again with another card."""
    shown = record.shown
    error["payment_method"] = objects.payment_method(objects.TOKENS[shown["payment_method"]])
    shown.update(
        status="requires_payment_method",
        last_payment_error=error,
        next_action=None,
        payment_method=None,
    )
    context.store.changed(record)
    context.emit("payment_intent.payment_failed", shown)
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


def decide(context: RequestContext, record: Record, *, approved: bool) -> dict[str, Any]:
    """Apply the card holder's answer to a 3-D Secure challenge. A second one changes nothing."""
    shown = record.shown
    if shown["status"] != "requires_action":
        return shown
    token = objects.TOKENS[shown["payment_method"]]
    shown["next_action"] = None
    if approved and not CARDS[token].authentication_error:
        _attempt(context, record, authenticated=True)
        return shown
    _fail(
        context,
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
