"""Deletes the kept answers that name an erased person."""

from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from apps.api.models import KeptAnswer
from apps.core.erased_person import ErasedPerson
from apps.orders.erasure.signals import person_erased


@receiver(person_erased)
def delete_answers(sender: Any, person: ErasedPerson, **_: Any) -> None:
    """They are a day old at most. A request that is sent again finds a closed account."""
    mine: Q = person.named_in("body")
    for order_id in person.order_ids:
        mine |= Q(body__contains=str(order_id))
    KeptAnswer.objects.filter(mine).delete()
