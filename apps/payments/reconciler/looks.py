"""One payment looked at closely, on both sides.

1. our books as they are before the gateway is asked
2. the gateway: the payment, its refunds
3. one transaction: what was learnt is settled; whose sagas must hear of it is written down
4. our books again, and what does not fit is noted (discrepancies.py)
5. money without an order goes back (returns.py), and it is looked at once more
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import connection, transaction

from apps.payments import refunds
from apps.payments.charging import our_mark
from apps.payments.gateway import (
    NO_SUCH_OBJECT,
    Gateway,
    GatewayRefund,
    GatewayRefused,
    Intent,
)
from apps.payments.ledger import Learnt, settle
from apps.payments.models import Discrepancy, Payment, Reconciliation, Refund
from apps.payments.reconciler import comparing, returns
from apps.payments.reconciler.comparing import Books, Found, Kind, Ours, uuid_or_none
from apps.payments.reconciler.discrepancies import note
from apps.payments.signals import payments_settled
from storefront import failpoints

logger = logging.getLogger(__name__)

ENDED = ("succeeded", "failed", "canceled")
# More payments that the gateway does not know, and it is another account's key that we hold.
MOST_UNKNOWN = 50
failpoints.declare("reconcile.settle", "before_commit", "after_commit")
failpoints.declare("reconcile.tell", "before_commit", "after_commit")

NOW_AND_BIRTH = """
    SELECT clock_timestamp(), min(applied) FROM django_migrations WHERE app = 'payments'
"""
UNTOLD = """
    UPDATE payments_reconciliation SET untold = untold || %s::jsonb, settled = settled + %s
    WHERE scope = %s
"""


class WrongBooks(Exception):
    """So much does not fit that it is not about single payments: a person must look first."""


@dataclass(slots=True)
class Looker:
    """Looks on behalf of one run; `ours` is renewed by `begin` as time goes on."""

    run: Reconciliation
    gateway: Gateway
    ours: Ours

    @classmethod
    def begin(cls, run: Reconciliation, gateway: Gateway) -> "Looker":
        return cls(run, gateway, ours_now())

    def settle_all(self, intents: Iterable[Intent]) -> dict[str, Payment]:
        """Settle what is told by `intents`; their payments as they stand then, by intent id."""
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

    def _settle(self, facts: Sequence[Learnt]) -> dict[UUID, Payment]:
        with transaction.atomic():
            settled = settle(facts)
            moved = [settled.payments[pk] for pk in sorted(settled.moved)]
            self._write_untold(moved)
            failpoints.reach("reconcile.settle", "before_commit")
        failpoints.reach("reconcile.settle", "after_commit")
        for payment in moved:
            logger.info("payment %s: the gateway says %s", payment.pk, payment.status)
        return settled.payments

    def _write_untold(self, moved: Sequence[Payment]) -> None:
        """In the settling transaction: who is not told now is told by the next run."""
        if not moved:
            return
        ids = [str(payment.order_id) for payment in moved]
        self.run.untold = [*self.run.untold, *ids]
        self.run.settled += len(ids)
        with connection.cursor() as cursor:
            cursor.execute(UNTOLD, [json.dumps(ids), len(ids), self.run.scope])

    def tell(self) -> None:
        """Tell whoever waits. A commit of its own: a saga's worker locks its saga before the
        payment, so telling it under the payment's lock could deadlock."""
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

    # --- closely ------------------------------------------------------------------------------

    def closely(self, intent_id: str) -> None:
        """Compare one payment of the gateway with ours, note what does not fit, give back."""
        for _ in range(2):  # what was given back is seen to have gone
            before = _books(Payment.objects.filter(intent_id=intent_id).first())
            try:
                intent = self.gateway.retrieve(intent_id)
                if before.payment is None:
                    before = _books(_named_by(intent))
                    if before.payment is not None:  # our side first, or it would seem ahead
                        intent = self.gateway.retrieve(intent_id)
            except GatewayRefused as no:
                if no.code != NO_SUCH_OBJECT:
                    raise
                self._unknown(intent_id, before.payment)
                return
            there: list[GatewayRefund] = []
            if intent.amount_received:
                there = self.gateway.retrieve_refunds(intent_id)
            after = self._settle_closely(intent, there)
            found = comparing.differences(intent, there, before=before, after=after, ours=self.ours)
            if not self._act(note(intent_id, after.payment, found), found, intent, there, after):
                return

    def _settle_closely(self, intent: Intent, there: Sequence[GatewayRefund]) -> Books:
        payment = payments_of([intent]).get(intent.id)
        if payment is None:
            return Books()
        fact = comparing.to_settle(payment, intent)
        if fact is not None:
            self._settle([fact])
        if payment.intent_id in (None, intent.id):
            self._settle_refunds(payment, there)
        return _books(Payment.objects.get(pk=payment.pk))

    def _settle_refunds(self, payment: Payment, there: Sequence[GatewayRefund]) -> None:
        sent = {refund.metadata.get("refund_id"): refund for refund in there}
        with transaction.atomic():
            # The payment before its refunds, as everywhere.
            Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
            waiting = payment.refunds.filter(status=Refund.Status.REQUESTED)
            ended = [
                (refund, sent[str(refund.pk)])
                for refund in waiting
                if str(refund.pk) in sent and sent[str(refund.pk)].status in ENDED
            ]
            fits = [(refund, theirs) for refund, theirs in ended if refund.amount == theirs.amount]
            settled = [refunds.settle(refund.pk, theirs) for refund, theirs in fits]
            if any(settled):
                self._write_untold([payment])
            failpoints.reach("reconcile.settle", "before_commit")
        failpoints.reach("reconcile.settle", "after_commit")

    def _unknown(self, intent_id: str, payment: Payment | None) -> None:
        if payment is not None:
            self.unknown(payment)
        else:
            note(intent_id, None, [])

    def unknown(self, payment: Payment) -> None:
        """The gateway does not know a payment that it once told us of."""
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
        """Whether something was done, so that it is worth looking again."""
        give_back = partial(returns.give_back, self.gateway, intent=intent, there=there)
        to_end = [
            open_rows[finding.kind]
            for finding in found
            if finding.ours_to_end or _wanted_by_a_person(open_rows.get(finding.kind))
            if finding.kind in open_rows
        ]
        worth_a_look = [give_back(row=row, payment=after.payment) for row in to_end]
        return any(worth_a_look)


def ours_now() -> Ours:
    """What tells our payments from others, as of now."""
    with connection.cursor() as cursor:
        cursor.execute(NOW_AND_BIRTH)
        now, born_at = cursor.fetchone()
    return Ours(mark=our_mark(), born_at=born_at or now, now=now)


def still_as_left(
    gateway: Gateway, intent: Intent, rows: Mapping[str, Discrepancy]
) -> dict[str, Discrepancy]:
    """Which of the `rows` that a person left as they are tell of `intent` as it is now, by kind.

    In another form than the one that was seen nothing is known of it. Writes nothing.
    """
    there: list[GatewayRefund] = []
    if intent.amount_received:
        there = gateway.retrieve_refunds(intent.id)
    books = _books(_named_by(intent))
    found = comparing.differences(intent, there, before=books, after=books, ours=ours_now())
    same = {
        finding.kind: rows[finding.kind]
        for finding in found
        if finding.kind in rows and rows[finding.kind].evidence == finding.evidence
    }
    new = {finding.kind for finding in found} - set(same)
    # One sum tells of all refunds: behind one that is known another must not hide.
    if new & set(comparing.OF_REFUNDS) or not comparing.refunds_add_up(intent, there, books):
        same = {kind: row for kind, row in same.items() if kind not in comparing.OF_REFUNDS}
    return same


def still_unknown_as_left(
    payment: Payment, rows: Mapping[str, Discrepancy]
) -> dict[str, Discrepancy]:
    """The same for a payment that the gateway does not show."""
    found = comparing.unknown_there(payment)
    row = rows.get(found.kind)
    return {found.kind: row} if row is not None and row.evidence == found.evidence else {}


def _wanted_by_a_person(row: Discrepancy | None) -> bool:
    return row is not None and row.kind in comparing.GIVEN_BACK and row.tries > 0


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


def _named_by(intent: Intent) -> Payment | None:
    return payments_of([intent]).get(intent.id)


def _books(payment: Payment | None) -> Books:
    if payment is None:
        return Books()
    return Books(payment, list(Refund.objects.filter(payment=payment)))
