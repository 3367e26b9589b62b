"""Events that could not be applied wait for staff, who have them applied again or leave them."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.backoffice import decision_log
from apps.core import dispatch
from apps.payments.inbox.verdicts import OPEN
from apps.payments.models import WebhookInbox

KIND = "webhook"  # the name of these cases in the back office


def undecided() -> QuerySet[WebhookInbox]:
    """Dead and quarantined events without a decision."""
    return WebhookInbox.objects.filter(state__in=OPEN, resolved_at__isnull=True)


def resolve(event_id: str, *, actor: str, reason: str, again: bool) -> bool:
    """A decision of staff on a dead or quarantined event: apply it again, or leave it as it is.

    False when it is not open (any more). Raises ReasonMissing.
    """
    actor, reason = decision_log.checked(actor, reason)
    changes: dict[str, Any] = {
        "state": WebhookInbox.State.RECEIVED,
        "attempts": 0,
        "due_at": Now(),
    }
    with transaction.atomic():
        written = (
            undecided()
            .filter(event_id=event_id)
            .update(
                resolution=reason,
                resolved_by=actor,
                resolved_at=Now(),
                **(changes if again else {}),
            )
        )
        if written:
            decision = decision_log.RETRY if again else decision_log.RESOLVE
            decision_log.record(KIND, event_id, decision, actor=actor, reason=reason)
        if written and again:
            transaction.on_commit(lambda: dispatch.enqueue_on_commit("payments.apply_webhooks"))
    return bool(written)
