"""The attempts to pay one order: a row of `Payment` for each card, one of them live.

    add             another card, after the live attempt was declined
    adopt_earlier   an earlier attempt was paid after all, and the new card was not asked yet

Of two cards one at most can be charged. That is held in three places:

1. UNIQUE (order) WHERE live: two requests at once make one new attempt.
2. An attempt is replaced only when the gateway has declined it. An unknown answer is no decline.
3. Before a new card is asked, everything before it is voided or refunded at the gateway
   (charging/requests.py, `first`). A cancelled PaymentIntent can never be paid.

So a late success of an earlier attempt finds one of two: the new card was never asked, then it is
adopted and the new attempt ends; or it was, then the earlier one is voided or refunded.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from apps.payments.models import Payment

S = Payment.Status

PAID = (S.AUTHORIZED, S.PARTLY_CAPTURED, S.CAPTURED)


def add(declined: Payment, *, payment_method: str) -> Payment:
    """A new live attempt with another card, in place of `declined`, which is locked.

    Raises ValueError where the live attempt was not declined: it may still be paid.
    """
    replaced = Payment.objects.filter(
        pk=declined.pk, live=True, status__in=(S.FAILED, S.VOIDED), captured_amount=0
    )
    if not replaced.update(live=False, updated_at=Now()):
        raise ValueError(f"payment {declined.pk} is {declined.status}: it may still be paid")
    return Payment.objects.create(
        id=uuid7(),
        order_id=declined.order_id,
        attempt=declined.attempt + 1,
        amount=declined.amount,
        currency=declined.currency,
        payment_method=payment_method,
        return_url=declined.return_url,
        details=declined.details,
    )


def adopt_earlier(order_ids: Iterable[UUID]) -> set[UUID]:
    """Make an earlier attempt live again that was paid after all; the orders of those.

    Only where the gateway was never asked about the new one, which ends here.
    """
    paid = Payment.objects.filter(order_id__in=list(order_ids), live=False, status__in=PAID)
    wanted = set(paid.values_list("order_id", flat=True))
    adopted: set[UUID] = set()
    if not wanted:
        return adopted
    with transaction.atomic():
        # Ascending id, like every lock of payments. A worker that is about to ask the new card
        # writes that down first, in this row: whichever of the two is second changes nothing.
        locked = Payment.objects.select_for_update(no_key=True).filter(order_id__in=wanted)
        attempts = list(locked.order_by("pk"))
        for new in attempts:
            if not new.live or new.status != S.CREATED or new.asked_at is not None:
                continue
            earlier = [a for a in attempts if a.order_id == new.order_id and a.status in PAID]
            if earlier:
                new.live, new.status = False, S.VOIDED
                new.save(update_fields=["live", "status"])
                earlier[0].live = True
                earlier[0].save(update_fields=["live"])
                adopted.add(new.order_id)
    return adopted
