"""The state of a promo as staff see it, and the filter by it."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from apps.promos.models import Promo


def state(promo: Promo) -> str:
    """`running`, `scheduled`, `over`, `used up` or `off`, by this server's clock: for display."""
    now = timezone.now()
    if not promo.active:
        return "off"
    if promo.ends_at is not None and promo.ends_at <= now:
        return "over"
    if promo.total_limit is not None and promo.used >= promo.total_limit:
        return "used up"
    if promo.starts_at is not None and promo.starts_at > now:
        return "scheduled"
    return "running"


class StateFilter(DropdownFilter):
    """Switched on, switched off, or past its end (by the database's clock)."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "Switched on"), ("off", "Switched off"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "on":
                return queryset.filter(active=True)
            case "off":
                return queryset.filter(active=False)
            case "over":
                return queryset.filter(ends_at__lte=Now())
        return queryset
