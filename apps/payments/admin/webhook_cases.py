"""Review cases of webhook events: those that were not applied, and those that were not mirrored."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse

from apps.backoffice import decision_log, review_cases
from apps.backoffice.actions import Refusal
from apps.backoffice.formatting import times
from apps.backoffice.review_cases import Case, CaseType, DecisionOption
from apps.payments import inbox, mirror
from apps.payments.models import WebhookInbox

DECIDE = "payments.change_webhookinbox"


def _describer(kind: str, explain: Callable[[WebhookInbox], tuple[str, str]]) -> Any:
    def describe(keys: Sequence[str]) -> list[Case]:
        found = []
        for event in WebhookInbox.objects.filter(pk__in=list(keys)).defer("payload"):
            why, tried = explain(event)
            found.append(
                Case(
                    kind=kind,
                    key=event.pk,
                    subject=f"{event.type} {event.pk}",
                    url=reverse("admin:payments_webhookinbox_change", args=[quote(event.pk)]),
                    why=why,
                    since=event.received_at,
                    tried=tried,
                )
            )
        return found

    return describe


def _why_not_applied(event: WebhookInbox) -> tuple[str, str]:
    why = f"{event.state}: {event.error}" if event.error else str(event.state)
    return why, f"tried {times(event.attempts)}" if event.attempts else "not applied"


def _why_not_mirrored(event: WebhookInbox) -> tuple[str, str]:
    why = f"not copied into dj-stripe's tables: {event.mirror_error or 'no word from it'}"
    return why, f"tried {times(event.mirror_attempts)}"


def _decider(verb: Callable[..., bool], outcome: str) -> Callable[..., tuple[WebhookInbox, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[WebhookInbox, str]:
        if not verb(key, actor=actor, reason=reason):
            raise Refusal("This event is not open (any more). Nothing was changed.")
        return WebhookInbox.objects.defer("payload").get(pk=key), f"{key}: {outcome}. {reason}"

    return decide


review_cases.register(
    CaseType(
        name=inbox.KIND,
        title="Webhooks",
        singular="webhook",
        view_permission="payments.view_webhookinbox",
        decide_permission=DECIDE,
        waiting=inbox.undecided,
        since="received_at",
        describe=_describer(inbox.KIND, _why_not_applied),
        options=(
            DecisionOption(
                decision_log.RETRY,
                "Apply again",
                "A worker applies the event as if it had just arrived.",
                _decider(partial(inbox.resolve, again=True), "applied again"),
            ),
            DecisionOption(
                decision_log.RESOLVE,
                "Leave it be",
                "The event has no effect; the books stay as they are.",
                _decider(partial(inbox.resolve, again=False), "left as it is"),
            ),
        ),
    )
)
review_cases.register(
    CaseType(
        name=mirror.KIND,
        title="Mirror",
        singular="mirror",
        view_permission="payments.view_webhookinbox",
        decide_permission=DECIDE,
        waiting=mirror.failed,
        since="received_at",
        describe=_describer(mirror.KIND, _why_not_mirrored),
        options=(
            DecisionOption(
                decision_log.RETRY,
                "Mirror again",
                "The background worker copies the event into dj-stripe's tables, with fresh tries.",
                _decider(mirror.retry, "mirrored again"),
            ),
            DecisionOption(
                decision_log.RESOLVE,
                "Do without its copy",
                "dj-stripe's tables go without this event. The shop never reads them.",
                _decider(mirror.give_up, "left out of the mirror"),
            ),
        ),
    )
)
