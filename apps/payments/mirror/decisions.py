"""How far the mirror lags; staff decide about the events that it cannot copy."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.backoffice import decision_log
from apps.payments.models import MIRROR_ATTEMPTS_MAX, WebhookInbox

KIND = "mirror"  # the name of these cases in the back office
State = WebhookInbox.State


def backlog() -> int:
    """Events that dj-stripe's tables do not know yet."""
    return WebhookInbox.objects.filter(
        mirrored_at__isnull=True,
        mirror_attempts__lt=MIRROR_ATTEMPTS_MAX,
        state__in=[State.APPLIED, State.IGNORED],
    ).count()


def failed() -> QuerySet[WebhookInbox]:
    """Events that used up their attempts, without a decision of staff."""
    return WebhookInbox.objects.filter(
        mirrored_at__isnull=True,
        mirror_resolved_at__isnull=True,
        mirror_attempts__gte=MIRROR_ATTEMPTS_MAX,
        state__in=[State.APPLIED, State.IGNORED],
    )


def retry(event_id: str, *, actor: str, reason: str) -> bool:
    """Try again, with fresh attempts; False when it is not open. Raises ReasonMissing."""
    return _decide(event_id, decision_log.RETRY, actor, reason, mirror_attempts=0, due_at=Now())


def give_up(event_id: str, *, actor: str, reason: str) -> bool:
    """Leave it out of dj-stripe's tables; False when it is not open. Raises ReasonMissing."""
    return _decide(event_id, decision_log.RESOLVE, actor, reason, mirror_resolved_at=Now())


def _decide(event_id: str, decision: str, actor: str, reason: str, **changes: Any) -> bool:
    with transaction.atomic():
        written = failed().filter(pk=event_id).update(**changes)
        if written:
            decision_log.record(KIND, event_id, decision, actor=actor, reason=reason)
    return bool(written)
