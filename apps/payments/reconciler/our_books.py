"""Our side of a comparison as it is now: the payment that is meant, its refunds, what is ours."""

from collections.abc import Iterable

from django.db import connection

from apps.payments import database_identity
from apps.payments.charging import our_mark
from apps.payments.gateway import Intent
from apps.payments.models import Payment, Refund
from apps.payments.reconciler.two_sides import Books, Ours, uuid_or_none

NOW_AND_BIRTH = """
    SELECT clock_timestamp(), min(applied) FROM django_migrations WHERE app = 'payments'
"""


def ours_now() -> Ours:
    """What tells our payments from others, as of now."""
    with connection.cursor() as cursor:
        cursor.execute(NOW_AND_BIRTH)
        now, born_at = cursor.fetchone()
    born_at = born_at or now
    confirmed_at = database_identity.known().confirmed_at
    return Ours(mark=our_mark(), born_at=born_at, returns_since=confirmed_at or born_at, now=now)


def payments_of(intents: Iterable[Intent]) -> dict[str, Payment]:
    """Our payments, by the gateway's id: those that have it, else those whose id it carries."""
    intents = list(intents)
    wanted = {pk for intent in intents if (pk := uuid_or_none(intent.payment_id))}
    named = Payment.objects.in_bulk(wanted)
    holders = {
        str(payment.intent_id): payment
        for payment in Payment.objects.filter(intent_id__in=[intent.id for intent in intents])
    }
    found = {}
    for intent in intents:
        pk = uuid_or_none(intent.payment_id)
        payment = holders.get(intent.id) or (named.get(pk) if pk else None)
        if payment is not None:
            found[intent.id] = payment
    return found


def named_by(intent: Intent) -> Payment | None:
    """Our payment of one of the gateway's, as `payments_of` finds it."""
    return payments_of([intent]).get(intent.id)


def books_of(payment: Payment | None) -> Books:
    """Our side of a payment as it is now, its refunds included."""
    if payment is None:
        return Books()
    return Books(payment, list(Refund.objects.filter(payment=payment)))
