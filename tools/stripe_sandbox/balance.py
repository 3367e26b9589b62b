"""Balance transactions: what a charge or a refund did to the account's balance, fee included.

None is stored. One follows from its charge or refund alone, so that an order costs the sandbox
nothing more; its id is its source's with another prefix.
"""

from __future__ import annotations

from typing import Any

from tools.stripe_sandbox.protocol import missing_resource
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record

_AVAILABLE_AFTER_S = 2 * 86_400
_FEE_PER_MILLE, _FEE_FIXED = 29, 30  # Stripe's price for a card of the US, in minor units


def transaction_id(source_id: str) -> str:
    """The id of the balance transaction of a charge (`ch_…`) or refund (`re_…`)."""
    return f"txn_{source_id.partition('_')[2]}"


def retrieve(context: RequestContext) -> dict[str, Any]:
    """`GET /v1/balance_transactions/:id`. Raises ApiError when nothing has that id."""
    found = find(context, context.call.id)
    if found is None:
        raise missing_resource("balance transaction", context.call.id)
    return found


def find(context: RequestContext, id: str) -> dict[str, Any] | None:
    """The balance transaction with this id; None when no money has moved under it."""
    own = id.removeprefix("txn_")
    for kind, prefix in (("charge", "ch_"), ("refund", "re_")):
        source = context.store.get(prefix + own, kind)
        if source is not None and source.shown["balance_transaction"] == id:
            return _of_charge(source) if kind == "charge" else _of_refund(source)
    return None


def _of_charge(charge: Record) -> dict[str, Any]:
    amount = charge.shown["amount_captured"]
    fee = (amount * _FEE_PER_MILLE + 500) // 1000 + _FEE_FIXED
    made = charge.kept.get("captured_at", charge.created)
    return _transaction(charge, amount=amount, fee=fee, made=made, type="charge")


def _of_refund(refund: Record) -> dict[str, Any]:
    # Stripe keeps the fee of the charge.
    amount = -refund.shown["amount"]
    return _transaction(refund, amount=amount, fee=0, made=refund.created, type="refund")


def _transaction(source: Record, *, amount: int, fee: int, made: int, type: str) -> dict[str, Any]:
    currency = source.shown["currency"]
    details = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": transaction_id(source.id),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": made + _AVAILABLE_AFTER_S,
        "balance_type": "payments",
        "created": made,
        "currency": currency,
        "description": source.shown.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": type,
        "source": source.id,
        "status": "pending",
        "type": type,
    }
