"""What the payment gateway reports about payments and refunds, in the shop's own types.

Amounts are integer minor units, currencies three upper-case letters, times aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PAGE = 100  # payments or changes in one page of a list


class IntentStatus(StrEnum):
    """Where a payment stands at the gateway (Stripe's PaymentIntent statuses, all of them)."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One payment at the gateway. Amounts in minor units.

    `amount_refunded` and `disputed` are current only from `retrieve`, `find`, `search` and
    `list_intents`: the answer of a mutating call may be a replay of what was true at first.
    `decline_code` and `message` say why the last attempt failed, if one did. `shop` is the mark
    of the shop that made the payment, from its metadata; None when there is none.
    """

    id: str
    status: IntentStatus
    amount: int
    amount_capturable: int
    amount_received: int
    amount_refunded: int
    currency: str
    payment_id: str | None
    order_id: str | None
    shop: str | None
    next_action_url: str | None
    decline_code: str | None
    message: str | None
    disputed: bool
    created_at: datetime
    payment_method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRefund:
    """A refund. `status`: pending, requires_action, succeeded, failed, canceled.

    `failure` is the gateway's reason where it failed.
    """

    id: str
    intent_id: str | None
    amount: int
    status: str
    metadata: Mapping[str, str]
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An event after a payment's usual course: a refund, a cancellation or a dispute.

    `closes`: it ends the payment (a cancellation, a refund). Most changes of ours do.
    """

    id: str
    intent_id: str
    closes: bool
