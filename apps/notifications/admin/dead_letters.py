"""Which messages wait for a decision, and the filter for them."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.notifications.models import Notification

DECIDE = "notifications.change_notification"


def is_open(message: Notification) -> bool:
    """Whether this is a dead letter that staff have not decided about."""
    return message.state == Notification.State.DEAD and message.resolved_at is None


class DeadLetterFilter(DropdownFilter):
    """Dead letters, open or decided."""

    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "open":
                return queryset.filter(state=Notification.State.DEAD, resolved_at__isnull=True)
            case "closed":
                return queryset.filter(resolved_at__isnull=False)
        return queryset
