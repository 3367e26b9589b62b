"""A payment moved at the gateway: the saga that waits for it goes on."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.dispatch import receiver

from apps.orders.models import Saga
from apps.payments.signals import payments_settled
from storefront import bells


@receiver(payments_settled)
def wake_waiting(sender: Any, order_ids: Iterable[UUID], **_: Any) -> None:
    """Make due what waits; a saga that a worker holds sees the payment by itself."""
    woken = (
        Saga.objects.filter(
            order_id__in=list(order_ids), state=Saga.State.FORWARD, lease_until__isnull=True
        )
        .exclude(waiting_for="")
        .update(due_at=Now())
    )
    if woken:
        transaction.on_commit(lambda: bells.ring("orders.advance_sagas"))
