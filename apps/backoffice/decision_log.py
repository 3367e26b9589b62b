"""Writes and reads the log of decisions.

The domain's functions call `record` in the transaction that carries the decision out: the log has
no decision without an effect, and no decision takes effect without being in the log.
"""

import logging
from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from apps.backoffice.models import Decision

logger = logging.getLogger(__name__)

RETRY, UNDO, RESOLVE = "retry", "undo", "resolve"


class ReasonMissing(ValueError):
    """A decision needs an actor and a reason, and one of them is empty."""

    def __init__(self) -> None:
        super().__init__("a decision needs an actor and a reason")


def checked(actor: str, reason: str) -> tuple[str, str]:
    """Actor and reason as they are kept. Raises ReasonMissing when one of them is empty."""
    actor, reason = actor.strip()[:254], reason.strip()[:255]
    if not actor or not reason:
        raise ReasonMissing
    return actor, reason


def record(
    kind: str,
    subject: object,
    decision: str,
    *,
    actor: str,
    reason: str,
    order_id: UUID | None = None,
) -> Decision:
    """Add an entry to the log, in the caller's transaction. Raises ReasonMissing."""
    actor, reason = checked(actor, reason)
    logger.info("%s %s: %s by %s: %s", kind, subject, decision, actor, reason)
    return Decision.objects.create(
        kind=kind,
        subject=str(subject),
        decision=decision,
        actor=actor,
        reason=reason,
        order_id=order_id,
    )


def latest(cases: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Decision]:
    """The last decision about each of these (kind, subject), where there is one. One query."""
    wanted = set(cases)
    found = (
        Decision.objects.filter(
            kind__in={kind for kind, _ in wanted}, subject__in={key for _, key in wanted}
        )
        .order_by("kind", "subject", "-id")
        .distinct("kind", "subject")
    )
    return {
        (decision.kind, decision.subject): decision
        for decision in found
        if (decision.kind, decision.subject) in wanted
    }


def about_order(order_id: UUID) -> QuerySet[Decision]:
    """Everything decided about an order and what belongs to it, newest first."""
    return Decision.objects.filter(order_id=order_id)
