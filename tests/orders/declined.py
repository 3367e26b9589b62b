"""An order as the worker leaves it after its card was declined, without a gateway."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.orders.models import Order, Saga
from apps.orders.saga.outcomes import Wait
from apps.orders.saga.step import ClaimedStep
from apps.orders.saga.steps import another_card
from apps.payments.models import Payment


def decline(order: Order) -> Order:
    """Its live card is declined; it waits for another one."""
    tried = Payment.objects.filter(order_id=order.pk, live=True)
    tried.update(status="failed", message="Your card was declined.", asked_at=Now())
    with transaction.atomic():
        outcome = another_card.decide([_claimed(order.pk)], {order.pk: tried.get()})[order.pk]
        assert isinstance(outcome, Wait)
        Saga.objects.filter(pk=order.pk).update(
            waiting_for=outcome.waiting_for, deadline_at=outcome.until, due_at=outcome.until
        )
    order.refresh_from_db()
    return order


def _claimed(order_id: UUID) -> ClaimedStep:
    return ClaimedStep(
        order_id, 1, 1, "authorize_payment", Saga.State.FORWARD, False, False, False, ""
    )
