"""How long units are held for an order that is not paid yet.

    placed                          HOLD_TIME: until a worker has claimed it and the gateway answers
    the bank asks the shopper       ACTION_TIME from then: most answer at once or never
    they go to the bank's page      HOLD_TIME from the order, once (`begin`)
    the card is declined            PAYMENT_RETRY_TIME from then, to pay with another one
    they pay again                  HOLD_TIME from then: as when it was placed

Nothing of it goes past HOLD_TIME_CAP from the order.

The moment that counts is the hold's expiry, the saga's deadline and the `until` of the order's
`next_action`. All three are written in one transaction: the page must not promise more than is
held. Time alone never releases a hold that has expired; its saga does (hold_expiry.py).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core import sql
from apps.inventory import holds
from apps.orders import transitions
from apps.orders.models import Order, Saga
from apps.orders.transitions import Transition
from apps.payments.models import Payment

S = Order.Status

# For orders that wait for the bank's page for the first time: their ACTION_TIME begins now.
ASKED_NOW = """
    SELECT id, least(now() + %s, placed_at + %s) FROM orders_order
    WHERE id = ANY(%s::uuid[]) AND status = 'PENDING'
"""
# For orders whose card was declined now; those that wait already have another status.
DECLINED_NOW = """
    SELECT id, least(now() + %s, placed_at + %s) FROM orders_order
    WHERE id = ANY(%s::uuid[]) AND status IN ('PENDING', 'REQUIRES_ACTION')
      AND placed_at + %s > now()
"""
# Without this lock on the card two workers each see room for one more order.
LOCK_CARD = """
    SELECT pg_advisory_xact_lock(hashtextextended('card:' || c, 0))
    FROM unnest(%s::text[]) AS c ORDER BY c
"""
WAITING = """
    SELECT card, count(*) FROM payments_payment
    WHERE card = ANY(%s::text[]) AND status = 'requires_action' AND NOT id = ANY(%s::uuid[])
    GROUP BY card
"""


def time_to_act(order_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Until when each of these orders waits for the shopper's bank.

    Orders that have waited before are left out: their time is set.
    """
    if not order_ids:
        return {}
    rows = sql.fetch(ASKED_NOW, [settings.ACTION_TIME, settings.HOLD_TIME_CAP, list(order_ids)])
    return dict(rows)


def time_to_pay_again(order_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Until when each of these orders, whose card was declined just now, waits for another one.

    Those whose time is set already, and those whose units cannot be held any longer, are left out;
    with PAYMENT_RETRY_TIME 0 all are.
    """
    if not order_ids or not settings.PAYMENT_RETRY_TIME:
        return {}
    cap = settings.HOLD_TIME_CAP
    rows = sql.fetch(DECLINED_NOW, [settings.PAYMENT_RETRY_TIME, cap, list(order_ids), cap])
    return dict(rows)


def held_back_cards(payments: Mapping[UUID, Payment], asked_now: Collection[UUID]) -> set[UUID]:
    """Those of `asked_now` whose card has UNPAID_ORDERS_OF_CARD other orders waiting for the bank.

    payments: by order id.
    """
    asking = {pk: payments[pk] for pk in sorted(asked_now) if payments[pk].card}
    if not asking or not settings.RATE_LIMITS:
        return set()
    cards = sorted({payment.card for payment in asking.values()})
    sql.run(LOCK_CARD, [cards])
    rows = sql.fetch(WAITING, [cards, [payment.pk for payment in asking.values()]])
    waiting = dict(rows)
    held_back = set()
    for order_id, payment in asking.items():
        if waiting.get(payment.card, 0) >= settings.UNPAID_ORDERS_OF_CARD:
            held_back.add(order_id)
        else:
            waiting[payment.card] = waiting.get(payment.card, 0) + 1
    return held_back


def action_required(payment: Payment, until: datetime) -> Transition:
    """The move that sends the shopper to the bank's page, and says until when."""
    return Transition(
        payment.order_id,
        S.REQUIRES_ACTION,
        f"{transitions.MESSAGES[S.REQUIRES_ACTION]} We hold your items until {until:%H:%M} UTC.",
        next_action={
            "type": "redirect",
            "url": payment.next_action_url,
            "until": until.isoformat().replace("+00:00", "Z"),
        },
    )


def begin(order_id: UUID) -> str:
    """The shopper goes to the bank's page: their units are held for HOLD_TIME from the order.

    Returns the page's address; empty when the bank asks nothing (any more). Calling it again does
    not extend the hold further.
    """
    with transaction.atomic():
        saga = Saga.objects.select_for_update().get(order_id=order_id)
        payment = Payment.objects.get(order_id=order_id, live=True)
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status != S.REQUIRES_ACTION or saga.state != Saga.State.FORWARD:
            return ""
        until = order.placed_at + settings.HOLD_TIME
        # A worker that has claimed the saga writes a deadline of its own.
        if saga.lease_until is None and saga.waiting_for and until > saga.deadline_at:
            Saga.objects.filter(pk=order_id).update(deadline_at=until, due_at=until)
            transitions.repeat(action_required(payment, until))
            holds.set_expiry({order_id: until})
    return payment.next_action_url
