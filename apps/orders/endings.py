"""How a called-off order ends: the last moves and the words for the shopper."""

from uuid import UUID

from apps.notifications import outbox
from apps.orders import letters, moves
from apps.orders.models import Order, Saga
from apps.orders.moves import Move
from apps.payments.models import Payment

S = Order.Status
CALLED_OFF_FROM = (*moves.MOVES[S.CANCELLED], S.REQUIRES_ACTION)

# Why an order was called off, as the shopper reads it.
REASONS = {
    "declined": "The payment was declined, so we cancelled the order.",
    "payment_refused": "The payment was refused, so we cancelled the order.",
    "expired": "The payment was not completed in time, so we cancelled the order.",
    "sold_out": "We are sorry: the items sold out before we could confirm the order.",
    "capture_refused": "Your bank let the payment lapse, so we cancelled the order.",
    "no_shipment": "We are sorry: we cannot ship this order.",
    "shopper": "Cancelled at your request.",
    "staff": "Our staff cancelled the order.",
}
OTHERWISE = "The order was cancelled."
NOT_CHARGED = "You have not been charged."
REFUNDED = "Your money is on its way back."


def finish_undone(reasons: dict[UUID, str]) -> None:
    """Move orders whose saga is undone to CANCELLED, and write each shopper one mail.

    `reasons` are order ids with why (REASONS). Runs in the saga's transaction.
    """
    asked = Order.objects.filter(pk__in=reasons, status=S.REQUIRES_ACTION)
    moves.make(
        Move(order_id, S.PAYMENT_FAILED, "The payment was called off.")
        for order_id in asked.values_list("pk", flat=True)
    )
    charged = set(
        Payment.objects.filter(order_id__in=reasons, captured_amount__gt=0).values_list(
            "order_id", flat=True
        )
    )
    words = {
        order_id: f"{REASONS.get(reason, OTHERWISE)}"
        f" {REFUNDED if order_id in charged else NOT_CHARGED}"
        for order_id, reason in reasons.items()
    }
    asked_by = dict(
        Saga.objects.filter(pk__in=reasons).values_list("order_id", "cancel_requested_by")
    )
    moves.make(
        Move(order_id, S.CANCELLED, message, actor=asked_by.get(order_id, ""))
        for order_id, message in words.items()
    )
    outbox.put(letters.cancellations(words, charged=charged))
