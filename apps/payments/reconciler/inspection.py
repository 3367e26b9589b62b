"""Inspects one payment on both sides.

1. our books as they are before the gateway is asked
2. the gateway: the payment, its refunds
3. one transaction: new facts are settled, and the orders to announce are stored
4. our books again; differences are recorded (discrepancies.py)
5. money without an order is returned (stray_payments.py), and steps 1 to 4 are repeated once
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import connection, transaction

from apps.core import failpoints
from apps.payments import refund_matching, refunds
from apps.payments.facts import PaymentFact
from apps.payments.gateway import (
    NO_SUCH_OBJECT,
    Gateway,
    GatewayRefund,
    GatewayRefused,
    Intent,
)
from apps.payments.ledger import settle
from apps.payments.models import Discrepancy, Payment, Reconciliation
from apps.payments.reconciler import comparing, stray_payments
from apps.payments.reconciler.discrepancies import note
from apps.payments.reconciler.findings import RETURNED, Found, Kind
from apps.payments.reconciler.our_books import books_of, named_by, ours_now, payments_of
from apps.payments.reconciler.two_sides import Books, Ours, uuid_or_none
from apps.payments.signals import payments_settled

logger = logging.getLogger(__name__)

# More payments unknown to the gateway mean that our key belongs to another account.
MOST_UNKNOWN = 50
failpoints.declare("reconcile.settle", "before_commit", "after_commit")
failpoints.declare("reconcile.tell", "before_commit", "after_commit")

STORE_UNANNOUNCED = """
    UPDATE payments_reconciliation SET untold = untold || %s::jsonb, settled = settled + %s
    WHERE scope = %s
"""


class WrongBooks(Exception):
    """So many payments differ that the cause is not in single payments: staff must look first."""


@dataclass(slots=True)
class Inspector:
    """Inspects payments for one run. `ours` is as of the run's beginning."""

    run: Reconciliation
    gateway: Gateway
    ours: Ours

    @classmethod
    def begin(cls, run: Reconciliation, gateway: Gateway) -> "Inspector":
        return cls(run, gateway, ours_now())

    def settle_all(self, intents: Iterable[Intent]) -> dict[str, Payment]:
        """Settle what `intents` show; their payments as they stand then, by intent id."""
        intents = list(intents)
        payments = payments_of(intents)
        pairs = [(payments[i.id], i) for i in intents if i.id in payments]
        facts = [f for f in (comparing.to_settle(*pair) for pair in pairs) if f is not None]
        if facts:
            settled = self._settle(facts)
            payments |= {
                intent_id: settled[payment.pk]
                for intent_id, payment in payments.items()
                if payment.pk in settled
            }
        return payments

    def _settle(self, facts: Sequence[PaymentFact]) -> dict[UUID, Payment]:
        with transaction.atomic():
            settled = settle(facts)
            moved = [settled.payments[pk] for pk in sorted(settled.moved)]
            self._store_unannounced(moved)
            failpoints.reach("reconcile.settle", "before_commit")
        failpoints.reach("reconcile.settle", "after_commit")
        for payment in moved:
            logger.info("payment %s: the gateway says %s", payment.pk, payment.status)
        return settled.payments

    def _store_unannounced(self, moved: Sequence[Payment]) -> None:
        """In the transaction that settles: the next run announces what this one does not."""
        if not moved:
            return
        ids = [str(payment.order_id) for payment in moved]
        self.run.untold = [*self.run.untold, *ids]
        self.run.settled += len(ids)
        with connection.cursor() as cursor:
            cursor.execute(STORE_UNANNOUNCED, [json.dumps(ids), len(ids), self.run.scope])

    def announce(self) -> None:
        """Send `payments_settled` for the orders whose payment was settled, in a commit of its own.

        A saga's worker locks its saga before the payment: under the payment's lock the receiver
        could deadlock with it.
        """
        if not self.run.untold:
            return
        with transaction.atomic():
            payments_settled.send(
                sender=Reconciliation,
                order_ids=[uuid_or_none(order_id) for order_id in self.run.untold],
            )
            Reconciliation.objects.filter(pk=self.run.pk).update(untold=[])
            failpoints.reach("reconcile.tell", "before_commit")
        failpoints.reach("reconcile.tell", "after_commit")
        self.run.untold = []

    def inspect(self, intent_id: str) -> None:
        """Compare one payment of the gateway with ours, record differences, return stray money."""
        for _ in range(2):  # the second time to see what was voided or refunded
            before = books_of(Payment.objects.filter(intent_id=intent_id).first())
            try:
                intent = self.gateway.retrieve(intent_id)
                if before.payment is None:
                    before = books_of(named_by(intent))
                    if before.payment is not None:  # our books are read before the gateway
                        intent = self.gateway.retrieve(intent_id)
            except GatewayRefused as refused:
                if refused.code != NO_SUCH_OBJECT:
                    raise
                self._unknown(intent_id, before.payment)
                return
            there: list[GatewayRefund] = []
            if intent.amount_received:
                there = self.gateway.retrieve_refunds(intent_id)
            after = self._settle_both(intent, there)
            found = comparing.differences(intent, there, before=before, after=after, ours=self.ours)
            if not self._act(note(intent_id, after.payment, found), found, intent, there, after):
                return

    def _settle_both(self, intent: Intent, there: Sequence[GatewayRefund]) -> Books:
        payment = payments_of([intent]).get(intent.id)
        if payment is None:
            return Books()
        fact = comparing.to_settle(payment, intent)
        if fact is not None:
            self._settle([fact])
        if payment.intent_id in (None, intent.id):
            self._settle_refunds(payment, there)
        return books_of(Payment.objects.get(pk=payment.pk))

    def _settle_refunds(self, payment: Payment, there: Sequence[GatewayRefund]) -> None:
        with transaction.atomic():
            # The payment before its refunds, as everywhere.
            Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
            ours = refund_matching.by_gateway_id(there)
            settled = [
                refunds.settle(ours[theirs.id].pk, theirs)
                for theirs in there
                if theirs.id in ours
                and theirs.status in refund_matching.ENDED
                and refund_matching.is_ours(ours[theirs.id], theirs)
            ]
            if any(settled):
                self._store_unannounced([payment])
            failpoints.reach("reconcile.settle", "before_commit")
        failpoints.reach("reconcile.settle", "after_commit")

    def _unknown(self, intent_id: str, payment: Payment | None) -> None:
        if payment is not None:
            self.unknown(payment)
        else:
            note(intent_id, None, [])

    def unknown(self, payment: Payment) -> None:
        """The gateway does not know a payment that it showed us before. Raises WrongBooks."""
        subject = str(payment.intent_id)
        known = Discrepancy.objects.filter(kind=Kind.UNKNOWN_THERE, state="open")
        if not known.filter(subject=subject).exists() and known.count() >= MOST_UNKNOWN:
            raise WrongBooks(
                f"The gateway does not know {MOST_UNKNOWN} of our payments:"
                " is the key one of another account?"
            )
        note(subject, payment, [comparing.unknown_there(payment)])

    def _act(
        self,
        open_rows: dict[str, Discrepancy],
        found: Sequence[Found],
        intent: Intent,
        there: Sequence[GatewayRefund],
        after: Books,
    ) -> bool:
        """Return stray money; whether anything was done, so that the payment is read again."""
        return_money = partial(
            stray_payments.return_money, self.gateway, intent=intent, there=there
        )
        to_end = [
            open_rows[finding.kind]
            for finding in found
            if finding.returns_itself or _requested_by_staff(open_rows.get(finding.kind))
            if finding.kind in open_rows
        ]
        changed = [return_money(row=row, payment=after.payment) for row in to_end]
        return any(changed)


def _requested_by_staff(row: Discrepancy | None) -> bool:
    return row is not None and row.kind in RETURNED and row.tries > 0
