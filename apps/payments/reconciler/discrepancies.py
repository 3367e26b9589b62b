"""The rows of differences: opened, closed when the two sides agree again, decided on by staff.

One row for each subject and kind. Staff who resolve one have seen it with certain `evidence`; with
the same evidence it stays resolved, with other evidence it is opened again. What the reconciler
itself closed is opened whenever it is found again.
"""

import logging
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.backoffice import decision_log
from apps.core import dispatch, failpoints
from apps.payments import refunds
from apps.payments.gateway import GatewayRefund
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler.findings import RETURNED, Found

logger = logging.getLogger(__name__)

KIND_OF_CASE = "discrepancy"  # the name of these cases in the back office
RECONCILER = "reconciler"  # as `resolved_by`, when no decision was needed
AGREED = "The two sides agree again."
State = Discrepancy.State
Kind = Discrepancy.Kind
failpoints.declare("reconcile.note", "before_commit", "after_commit")


def note(subject: str, payment: Payment | None, found: Iterable[Found]) -> dict[str, Discrepancy]:
    """Record all differences of `subject`; its open rows by kind. Its other rows are closed."""
    seen = {finding.kind: finding for finding in found}
    with transaction.atomic():
        known = {
            row.kind: row
            for row in Discrepancy.objects.select_for_update()
            .filter(subject=subject)
            .order_by("pk")
        }
        for kind, row in known.items():
            if kind not in seen and row.state == State.OPEN:
                _close(row)
        for kind, finding in seen.items():
            known[kind] = _open(known.get(kind), subject, payment, finding)
        failpoints.reach("reconcile.note", "before_commit")
    failpoints.reach("reconcile.note", "after_commit")
    return {kind: known[kind] for kind in seen if known[kind].state == State.OPEN}


def _open(
    row: Discrepancy | None, subject: str, payment: Payment | None, finding: Found
) -> Discrepancy:
    if row is None:
        logger.warning("discrepancy %s: %s", finding.kind, finding.why)
        return Discrepancy.objects.create(
            kind=finding.kind,
            subject=subject,
            payment=payment,
            why=finding.why[:255],
            evidence=finding.evidence,
        )
    if row.state == State.RESOLVED:
        if row.resolved_by != RECONCILER and row.evidence == finding.evidence:
            return row  # staff know of it
        logger.warning("discrepancy %s of %s is seen again", row.kind, row.subject)
        remember(row, f"Seen again. It was resolved by {row.resolved_by}: {row.resolution}")
        row.state, row.resolution, row.resolved_by, row.resolved_at = State.OPEN, "", "", None
    row.why, row.evidence, row.last_seen_at = finding.why[:255], finding.evidence, timezone.now()
    row.save()
    return row


def left_be(subjects: Iterable[str]) -> dict[str, dict[str, Discrepancy]]:
    """The rows that staff left as they are, by subject and kind. They hold for their evidence only.

    A row without its line in the decision log is left out.
    """
    rows = list(
        Discrepancy.objects.filter(subject__in=set(subjects), state=State.RESOLVED)
        .exclude(resolved_by=RECONCILER)
        .order_by("pk")
    )
    decisions = decision_log.latest([(KIND_OF_CASE, str(row.pk)) for row in rows])
    found: dict[str, dict[str, Discrepancy]] = {}
    for row in rows:
        decision = decisions.get((KIND_OF_CASE, str(row.pk)))
        if decision is not None and decision.decision == decision_log.RESOLVE:
            found.setdefault(row.subject, {})[row.kind] = row
    return found


def _close(row: Discrepancy) -> None:
    done = row.history[-1]["what"] if row.tries and row.history else AGREED
    row.state, row.resolution, row.resolved_by = State.RESOLVED, done[:255], RECONCILER
    row.resolved_at = timezone.now()
    row.save()


def remember(row: Discrepancy, what: str) -> None:
    """Add a line to the row's history, in memory."""
    row.history = [*row.history, {"at": timezone.now().isoformat(), "what": what}]


# --- Decisions of staff ---------------------------------------------------------------------------


class NotOpen(Exception):
    """Staff have decided already, or the two sides agree again."""


def resolve(pk: UUID, *, actor: str, reason: str) -> None:
    """It is known and stays as it is. Raises NotOpen."""
    with transaction.atomic():
        row = _locked(pk, decision_log.RESOLVE, actor, reason)
        _resolve(row, actor, reason)


def look_again(pk: UUID, *, actor: str, reason: str) -> None:
    """Run the reconciler now instead of in the next minute. Raises NotOpen."""
    with transaction.atomic():
        row = _locked(pk, decision_log.RETRY, actor, reason)
        remember(row, f"{actor} wants it looked at again: {reason}")
        row.save(update_fields=["history"])
        _reconcile_now()


def give_back(pk: UUID, *, actor: str, reason: str) -> None:
    """Have the money of a charge without an order returned, once more. Raises NotOpen."""
    with transaction.atomic():
        row = _locked(pk, "give back", actor, reason)
        if row.kind not in RETURNED:
            raise NotOpen
        remember(row, f"{actor} wants the money to go back: {reason}")
        # An attempt with its own key; the gateway never refunds more than it captured.
        row.tries += 1
        row.save(update_fields=["history", "tries"])
        Discrepancy.objects.filter(pk=pk).update(asked_at=Now())
        _reconcile_now()


def adopt_refunds(pk: UUID, *, actor: str, reason: str) -> int:
    """Add refunds made at the gateway to our books; their sum in minor units.

    Raises NotOpen, and RefundRefused while one is under way or they exceed what was captured.
    """
    with transaction.atomic():
        row = _locked(pk, "adopt", actor, reason)
        if row.kind != Kind.REFUNDED_THERE or row.payment is None:
            raise NotOpen
        total = 0
        for sent in row.evidence["refunds"]:
            if sent["status"] != "succeeded":
                raise refunds.RefundRefused(f"{sent['id']} is still on its way")
            refunds.adopt(
                row.payment.pk,
                GatewayRefund(
                    id=sent["id"],
                    intent_id=row.payment.intent_id,
                    amount=sent["amount"],
                    status="succeeded",
                    metadata={},
                ),
                actor=actor,
                reason=reason,
            )
            total += sent["amount"]
        _resolve(row, actor, reason)
    return total


def waiting() -> QuerySet[Discrepancy]:
    """The open discrepancies, which wait for a decision."""
    return Discrepancy.objects.filter(state=State.OPEN)


def _locked(pk: UUID, decision: str, actor: str, reason: str) -> Discrepancy:
    """The open row, locked, with the decision in the log; the caller's rollback undoes both."""
    decision_log.checked(actor, reason)
    rows = waiting().select_for_update(of=["self"]).select_related("payment")
    row = rows.filter(pk=pk).first()
    if row is None:
        raise NotOpen
    order_id = row.payment.order_id if row.payment is not None else None
    decision_log.record(KIND_OF_CASE, pk, decision, actor=actor, reason=reason, order_id=order_id)
    return row


def _resolve(row: Discrepancy, actor: str, reason: str) -> None:
    Discrepancy.objects.filter(pk=row.pk).update(
        state=State.RESOLVED, resolution=reason[:255], resolved_by=actor[:254], resolved_at=Now()
    )
    logger.info("discrepancy %s of %s resolved by %s", row.kind, row.subject, actor)


def _reconcile_now() -> None:
    transaction.on_commit(lambda: dispatch.enqueue_on_commit("payments.reconcile"))
