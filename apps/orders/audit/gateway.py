"""Invariant 5: what the gateway took and what our payments say match one to one.

Money moves while the two are compared, and an answer may be on its way. Therefore a payment that
does not match is compared once more a little later, on both sides, before it counts.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.orders.audit.differences import Difference, compare, second_charge, unknown_there, unowned
from apps.orders.audit.invariant import SHOWN, Finding
from apps.payments.gateway import Gateway, Intent
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler import discrepancies
from apps.payments.reconciler.left_as_is import still_as_left, still_unknown_as_left

NO_TIME = timedelta(0)
STARTED_EARLIER = timedelta(minutes=5)  # our row is older than the gateway's payment


def check_gateway(
    gateway: Gateway,
    *,
    since: timedelta = timedelta(days=2),
    second_look_after: timedelta = timedelta(seconds=2),
) -> Finding:
    """Compare the payments of the time since `since`. Raises GatewayError.

    A difference that a person has decided to leave as it is, and that still is so, does not count.
    """
    after = timezone.now() - since
    comparison = Comparison(
        Payment.objects.filter(created_at__gte=after - STARTED_EARLIER).in_bulk()
    )
    for intent in gateway.list_intents(created_after=after):
        comparison.add(intent)
    wrong = comparison.wrong
    if comparison.doubtful:
        time.sleep(second_look_after.total_seconds())
    for payment, intent_id in comparison.doubtful:
        payment.refresh_from_db()
        wrong += compare(payment, gateway.retrieve(intent_id))
    wrong += [
        unknown_there(payment, comparison.shown.get(payment.pk))
        for payment in comparison.ours.values()
        if payment.captured_amount > 0
        and payment.pk not in comparison.charged
        and payment.created_at > after
    ]
    broken, left_be = _what_counts(gateway, wrong)
    return Finding(
        5,
        "the gateway's charges match our payments",
        False,
        len(broken),
        tuple(broken[:SHOWN]),
        tuple(left_be),
    )


@dataclass(slots=True)
class Comparison:
    """The first look over the gateway's payments.

    ours: our payments, by id.
    wrong: differences that a second look cannot change.
    doubtful: (our payment, the gateway's id) to be looked at once more.
    shown, charged: the gateway's payments of ours, by our id; and which of ours it charged.
    """

    ours: dict[Any, Payment]
    wrong: list[Difference] = field(default_factory=list)
    doubtful: list[tuple[Payment, str]] = field(default_factory=list)
    shown: dict[UUID, Intent] = field(default_factory=dict)
    charged: set[UUID] = field(default_factory=set)

    def add(self, intent: Intent) -> None:
        """One payment of the gateway."""
        payment = self.ours.get(_uuid(intent.payment_id)) or _payment_of(intent)
        kept_there = intent.amount_received > intent.amount_refunded
        if payment is None:
            if kept_there:
                self.wrong.append(unowned(intent))
            return
        if payment.intent_id not in (None, intent.id):
            if kept_there:
                self.wrong.append(second_charge(payment, intent))
            return
        if intent.amount_received > 0 and payment.pk in self.charged:
            self.wrong.append(second_charge(payment, intent))
        self.shown[payment.pk] = intent
        if intent.amount_received > 0:
            self.charged.add(payment.pk)
        if compare(payment, intent):
            self.doubtful.append((payment, intent.id))


def _what_counts(gateway: Gateway, wrong: list[Difference]) -> tuple[list[str], list[str]]:
    """In words: the differences without a decision, and those that staff left as they are.

    A decision is good for the state in which it was made. In any other state the difference counts
    again, at once, whether or not the reconciler has opened it again.
    """
    decided = discrepancies.left_be(difference.subject for difference in wrong)
    known: dict[str, Mapping[str, Discrepancy]] = {}
    broken, left_be = [], []
    for difference in wrong:
        rows: Mapping[str, Discrepancy] = decided.get(difference.subject, {})
        if rows and difference.intent is not None:
            if difference.subject not in known:
                known[difference.subject] = still_as_left(gateway, difference.intent, rows)
            rows = known[difference.subject]
        elif rows and difference.payment is not None:
            rows = still_unknown_as_left(difference.payment, rows)
        row = next((rows[kind] for kind in difference.kinds if kind in rows), None)
        if row is None:
            broken.append(difference.words)
        else:
            left_be.append(f"{difference.words} (by {row.resolved_by}: {row.resolution})")
    return broken, left_be


def _payment_of(intent: Intent) -> Payment | None:
    """A payment that was made after the comparison began."""
    payment_id = _uuid(intent.payment_id)
    return Payment.objects.filter(pk=payment_id).first() if payment_id else None


def _uuid(value: Any) -> Any:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
