"""The two sides of a comparison, and which of the gateway's payments are ours to judge.

Payments change while we compare. A difference in which the *gateway* is behind (captured here, not
there) is judged by our books as they were before the gateway was asked; one in which *we* are
behind, by our books afterwards. So `Books` are read twice, before and after the call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.payments.gateway import GatewayRefund, Intent, IntentStatus
from apps.payments.models import Payment, Refund

# An intent this young may belong to a request that is under way. It also covers a clock of the
# gateway that is wrong by some minutes.
GRACE = timedelta(minutes=10)
MAY_COME_ALIVE = (
    IntentStatus.REQUIRES_CONFIRMATION,
    IntentStatus.REQUIRES_ACTION,
    IntentStatus.PROCESSING,
    IntentStatus.REQUIRES_CAPTURE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What tells our payments at the gateway from those of others, and from those under way.

    `born_at` is when our books began: a payment that carries our mark and is older was made by
    another database of this address. What is older than `returns_since`, when a copy was confirmed
    as the shop's database, may have been made by the one that it was copied from: a person decides.
    """

    mark: str
    born_at: datetime
    returns_since: datetime
    now: datetime

    def made(self, intent: Intent) -> bool:
        return intent.shop == self.mark and intent.created_at >= self.born_at

    def may_return(self, intent: Intent) -> bool:
        """Whether money that has no order here goes back without a decision of staff."""
        return self.made(intent) and intent.created_at >= self.returns_since

    def is_settled_in(self, intent: Intent) -> bool:
        """Whether it is so old that no process is still about to record it."""
        return intent.created_at <= self.now - GRACE


@dataclass(frozen=True, slots=True)
class Books:
    """Our side of one payment at one moment."""

    payment: Payment | None = None
    refunds: Sequence[Refund] = ()


def kept(intent: Intent, there: Iterable[GatewayRefund]) -> int:
    """What the gateway captured and has not refunded, in minor units."""
    return intent.amount_received - sum(r.amount for r in there if r.status == "succeeded")


def alive(intent: Intent, there: Iterable[GatewayRefund]) -> bool:
    """Whether the gateway holds or may still take money; `there` are its refunds of `intent`."""
    return intent.status in MAY_COME_ALIVE or kept(intent, there) > 0


def alive_at_a_glance(intent: Intent) -> bool:
    """The same without the refunds, by the sum that the gateway's list shows."""
    return intent.status in MAY_COME_ALIVE or intent.amount_received > intent.amount_refunded


def uuid_or_none(value: str | None) -> UUID | None:
    """A payment's id as the gateway's metadata carries it; None when it is none of ours."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
