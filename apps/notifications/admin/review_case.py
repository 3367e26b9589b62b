"""Dead letters among the review cases: how they are described and decided."""

from collections.abc import Callable, Sequence

from django.urls import reverse

from apps.backoffice import decision_log, review_cases
from apps.backoffice.actions import Refusal
from apps.backoffice.formatting import times
from apps.backoffice.review_cases import Case, CaseType, DecisionOption
from apps.notifications import outbox
from apps.notifications.admin.dead_letters import DECIDE
from apps.notifications.errors import NotDead
from apps.notifications.models import Notification


def _described(keys: Sequence[str]) -> list[Case]:
    ids = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 19]
    return [
        Case(
            kind=outbox.KIND,
            key=str(message.pk),
            subject=message.subject,
            url=reverse("admin:notifications_notification_change", args=[message.pk]),
            why=f"{message.to} did not get it: {message.last_error or 'no word from the server'}",
            since=message.created_at,
            tried=f"tried {times(message.attempts)}",
            order_id=message.order_id,
        )
        for message in Notification.objects.filter(pk__in=ids).defer("body")
    ]


def _decider(verb: Callable[..., None], words: str) -> Callable[..., tuple[Notification, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[Notification, str]:
        message = Notification.objects.get(pk=int(key))
        try:
            verb(message, actor=actor, reason=reason)
        except NotDead as refused:
            raise Refusal(f"{message}: {refused} Nothing was changed.") from refused
        return message, f"{message}: {words}. {reason}"

    return decide


review_cases.register(
    CaseType(
        name=outbox.KIND,
        title="Mail",
        singular="mail",
        view_permission="notifications.view_notification",
        decide_permission=DECIDE,
        waiting=outbox.dead_letters,
        since="created_at",
        describe=_described,
        options=(
            DecisionOption(
                decision_log.RETRY,
                "Send again",
                "Delivery starts anew, from its first try.",
                _decider(outbox.replay, "sent again"),
            ),
            DecisionOption(
                decision_log.RESOLVE,
                "Close unsent",
                "The shopper does not get it.",
                _decider(outbox.dismiss, "closed unsent"),
                danger=True,
            ),
        ),
    )
)
