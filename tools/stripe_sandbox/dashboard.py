"""`POST /_sandbox/dashboard`: what a person does at Stripe's dashboard, and what banks do later.

    {"do": "capture", "payment_intent": "pi_…", "amount": 100}      a part, or more than authorized
    {"do": "change_amount", "payment_intent": "pi_…", "amount": 5}  before it is paid
    {"do": "fail_refund", "refund": "re_…", "reason": "expired_or_canceled_card"}
    {"do": "roll_secret", "webhook_endpoint": "we_…", "expires_in_s": 86400}

Loopback only, as all of `/_sandbox/` (control.py). The answer is the object as it is then; 400
where it is in no state for that. A rolled secret is shown (`secret`); until `expires_in_s` (0 to a
day) have passed, every webhook is signed with both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tools.stripe_sandbox import intents, objects, refunds, webhook_endpoints
from tools.stripe_sandbox.api import Api
from tools.stripe_sandbox.protocol import Call, missing_resource
from tools.stripe_sandbox.request_context import RequestContext

NAMED_BY = ("payment_intent", "refund", "webhook_endpoint")
LONGEST_OVERLAP_S = 86_400
FAILED_FOR = "expired_or_canceled_card"


async def act(api: Api, wanted: dict[str, Any]) -> dict[str, Any]:
    """Do what `wanted` says; the object afterwards. Raises ValueError, ApiError."""
    action = ACTIONS.get(wanted.get("do", ""))
    if action is None:
        raise ValueError(f"do one of {', '.join(ACTIONS)}")
    call = Call(
        operation=f"dashboard.{wanted['do']}",
        method="POST",
        path="/_sandbox/dashboard",
        id=str(next((wanted[name] for name in NAMED_BY if wanted.get(name)), "")),
        params={},
        request_id=objects.new_id("req"),
        key=None,
        base_url="",
        client=None,
    )
    context = RequestContext(api.state, call)
    shown = action(context, wanted)
    context.record_deliveries({})
    await api.state.store.committed()
    context.dispatch({})
    return shown


def _capture(context: RequestContext, wanted: dict[str, Any]) -> dict[str, Any]:
    record = intents.find(context, context.call.id)
    if record.shown["status"] != "requires_capture":
        raise ValueError(f"{record.id} is {record.shown['status']}")
    return intents.take(context, record, _amount(wanted))


def _change_amount(context: RequestContext, wanted: dict[str, Any]) -> dict[str, Any]:
    record = intents.find(context, context.call.id)
    shown = record.shown
    if shown["status"] not in ("requires_payment_method", "requires_confirmation",
                               "requires_action"):  # fmt: skip
        raise ValueError(f"{record.id} is {shown['status']}")
    shown["amount"] = _amount(wanted)
    context.store.changed(record)
    return shown


def _fail_refund(context: RequestContext, wanted: dict[str, Any]) -> dict[str, Any]:
    record = context.store.get(context.call.id, "refund")
    if record is None:
        raise missing_resource("refund", context.call.id)
    if record.shown["status"] not in ("succeeded", "pending"):
        raise ValueError(f"{record.id} is {record.shown['status']}")
    refunds.fail(context, record, reason=str(wanted.get("reason", FAILED_FOR)))
    return record.shown


def _roll_secret(context: RequestContext, wanted: dict[str, Any]) -> dict[str, Any]:
    record = webhook_endpoints.find(context, context.call.id)
    expires_in_s = float(wanted.get("expires_in_s", 0))
    if not 0 <= expires_in_s <= LONGEST_OVERLAP_S:
        raise ValueError("expires_in_s: at most a day")
    old, new = record.kept["secret"], f"whsec_{objects.new_secret(32)}"
    record.kept.update(secret=new, older={"secret": old, "until": time.time() + expires_in_s})
    context.store.changed(record)
    context.state.endpoints_changed()
    return record.shown | {"secret": new}


def _amount(wanted: dict[str, Any]) -> int:
    amount = wanted.get("amount")
    if not isinstance(amount, int) or amount < 1:
        raise ValueError("amount: a whole number of the currency's smallest units")
    return amount


ACTIONS: dict[str, Callable[[RequestContext, dict[str, Any]], dict[str, Any]]] = {
    "capture": _capture,
    "change_amount": _change_amount,
    "fail_refund": _fail_refund,
    "roll_secret": _roll_secret,
}
