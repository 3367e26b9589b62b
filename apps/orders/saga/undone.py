"""The end of an undone saga: the order is CANCELLED, and the shopper gets one mail with the reason.

The reason is one for which a step refused the order (steps/), or one of the two of people.
"""

from collections.abc import Mapping
from uuid import UUID

from apps.notifications import outbox
from apps.orders import emails, transitions
from apps.orders.models import Order, Saga
from apps.orders.saga.outcomes import CancelReason
from apps.orders.saga.steps import REFUSALS
from apps.orders.transitions import Transition
from apps.payments.models import Payment

S = Order.Status

BY_SHOPPER = CancelReason("shopper", "Cancelled at your request.")
BY_STAFF = CancelReason("staff", "Our staff cancelled the order.", always_mailed=True)
# Every reason by its code, which is what the saga's row keeps.
REASONS = REFUSALS | {reason.code: reason for reason in (BY_SHOPPER, BY_STAFF)}
UNKNOWN_REASON = CancelReason("", "The order was cancelled.")
NOT_CHARGED = "You have not been charged."
REFUNDED = "Your money is on its way back."


def complete(reasons: Mapping[UUID, str]) -> None:
    """Move orders whose saga is undone to CANCELLED, and put one mail for each into the outbox.

    The mail is withheld where no payment was begun in earnest (email_moments.NOT_BEFORE).

    reasons: order id → code of the CancelReason. Runs in the saga's transaction.
    """
    known = {order_id: REASONS.get(code, UNKNOWN_REASON) for order_id, code in reasons.items()}
    # CANCELLED does not follow REQUIRES_ACTION, so the payment fails first.
    asked = Order.objects.filter(pk__in=reasons, status=S.REQUIRES_ACTION)
    transitions.make(
        Transition(order_id, S.PAYMENT_FAILED, "The payment was called off.")
        for order_id in asked.values_list("pk", flat=True)
    )
    charged = set(
        Payment.objects.filter(order_id__in=reasons, captured_amount__gt=0).values_list(
            "order_id", flat=True
        )
    )
    messages = {
        order_id: f"{reason.message} {REFUNDED if order_id in charged else NOT_CHARGED}"
        for order_id, reason in known.items()
    }
    requested_by = dict(
        Saga.objects.filter(pk__in=reasons).values_list("order_id", "cancel_requested_by")
    )
    transitions.make(
        Transition(order_id, S.CANCELLED, message, actor=requested_by.get(order_id, ""))
        for order_id, message in messages.items()
    )
    always_mailed = {order_id for order_id, reason in known.items() if reason.always_mailed}
    unpaid = {order_id for order_id, reason in known.items() if reason.moves_to == S.PAYMENT_FAILED}
    outbox.put(
        emails.cancellations(messages, charged=charged, always_mailed=always_mailed, unpaid=unpaid)
    )
