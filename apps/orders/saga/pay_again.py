"""Paying an order with another card, after one was declined (steps/another_card.py).

1. One conditional UPDATE of the saga's row: it still waits for another card, its deadline is not
   past by the database's clock, nobody has cancelled it. Of two tabs one changes the row; the
   other gets NotPayable. The epoch rises: a worker that has claimed the saga writes nothing.
2. The declined attempt gives its place to a new one (payments/attempts.py).
3. The order moves from PAYMENT_FAILED to PENDING; its units are held on, never past the cap.
4. A worker authorizes the new attempt, after it has voided the declined one at the gateway.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.core import dispatch, sql
from apps.inventory import holds
from apps.orders import transitions
from apps.orders.errors import NotPayable
from apps.orders.models import Order, Saga
from apps.orders.saga.steps.another_card import WAITS_FOR
from apps.orders.transitions import Transition
from apps.payments import attempts
from apps.payments.models import Payment

S = Order.Status
P = Payment.Status

GO_ON = """
    UPDATE orders_saga s
    SET waiting_for = '', attempts = 0, epoch = s.epoch + 1, lease_until = NULL,
        crashed_claims = 0, last_error = '', due_at = now(), updated_at = now(),
        deadline_at = greatest(s.deadline_at, least(now() + %(hold)s, o.placed_at + %(cap)s))
    FROM orders_order o
    WHERE s.order_id = %(order)s AND o.id = s.order_id AND s.state = 'forward'
      AND s.waiting_for = %(waits_for)s AND s.cancel_requested_at IS NULL
      AND s.deadline_at > clock_timestamp()
    RETURNING s.deadline_at
"""
AGAIN = "Paying with another card. Your items are held for you."


def pay_again(order_id: UUID, *, payment_method: str, actor: str = "shopper") -> None:
    """Begin another attempt on an order in PAYMENT_FAILED.

    payment_method: the gateway's token, at most 120 characters. actor: who asks, for the event.

    Raises NotPayable where the order does not wait for another card (any more).
    """
    with transaction.atomic():
        rows: list[tuple[datetime]] = sql.fetch(
            GO_ON,
            {
                "order": order_id,
                "waits_for": WAITS_FOR,
                "hold": settings.HOLD_TIME,
                "cap": settings.HOLD_TIME_CAP,
            },
        )
        if not rows:
            raise NotPayable
        declined = Payment.objects.select_for_update(no_key=True).get(order_id=order_id, live=True)
        if declined.status not in (P.FAILED, P.VOIDED):
            raise NotPayable  # it was paid after all, and no worker has seen it yet
        attempts.add(declined, payment_method=payment_method)
        if not transitions.make([Transition(order_id, S.PENDING, AGAIN, actor=actor[:254])]):
            raise NotPayable
        ((until,),) = rows
        holds.set_expiry({order_id: until})
        transaction.on_commit(lambda: dispatch.enqueue_on_commit("orders.advance_sagas"))


def is_payable(order: Order) -> bool:
    """Whether a page should offer to pay again; `pay_again` decides."""
    if order.status != S.PAYMENT_FAILED:
        return False
    return Saga.objects.filter(
        order=order,
        state=Saga.State.FORWARD,
        waiting_for=WAITS_FOR,
        cancel_requested_at__isnull=True,
        deadline_at__gt=Now(),
    ).exists()
