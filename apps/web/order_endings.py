"""How an order ended that was not bought: the payment failed, or it was called off.

Both are CANCELLED. To the shopper they are different things: after the first the form is offered
again, the second is what they asked for and no error.
"""

from dataclasses import dataclass, replace

from django.core.exceptions import ObjectDoesNotExist

from apps.orders import unshipped
from apps.orders.models import Order
from apps.orders.saga.undone import REASONS
from apps.orders.status import DONE, FAILED, TODO

S = Order.Status
PAYMENT_FAILURES = frozenset(
    reason.code for reason in REASONS.values() if reason.moves_to == S.PAYMENT_FAILED
)
OFF = "off"  # a stage that is not reached because the order was called off


@dataclass(frozen=True, slots=True)
class Shown:
    """Headline, short name, its class (with a space before it), and the state of each stage."""

    headline: str
    short: str
    tone: str
    stages: tuple[str, ...]


UNPAID = Shown("Not paid.", "not paid", " bad", (DONE, FAILED, TODO, TODO, TODO))
CALLED_OFF = Shown("Called off.", "called off", "", (DONE, OFF, OFF, OFF, OFF))


def shown_of(order: Order) -> Shown:
    """How `order` is shown; reads its saga where it was cancelled."""
    if order.status == S.CANCELLED:
        ended = UNPAID if is_payment_failure(order) else CALLED_OFF
        return replace(ended, stages=ended.stages[: len(unshipped.stages_of(order))])
    row = unshipped.statuses_of(order)[order.status]
    return Shown(row.headline, row.short, row.tone, row.stages)


def is_payment_failure(order: Order) -> bool:
    """Whether it is over because it could not be paid."""
    if order.status != S.CANCELLED:
        return False
    try:
        return order.saga.cancel_reason in PAYMENT_FAILURES
    except ObjectDoesNotExist:
        return False
