"""The filter of the order list by what has to be done."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.orders.models import Order, Saga


class AttentionFilter(DropdownFilter):
    """Orders that staff have to act on, or that the worker did not finish in time."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("review", "In review"),
            ("ship", "To be handed over"),
            ("return", "Return announced"),
            ("late", "Past its deadline, unfinished"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "review":
                return queryset.filter(saga__state=Saga.State.REVIEW)
            case "ship":
                confirmed = queryset.filter(
                    status=Order.Status.CONFIRMED, saga__state=Saga.State.DONE
                )
                return confirmed.exclude(shipping_method="")
            case "return":
                return queryset.filter(status=Order.Status.RETURN_INITIATED)
            case "late":
                return queryset.filter(
                    saga__state__in=[Saga.State.FORWARD, Saga.State.UNDOING],
                    saga__deadline_at__lt=Now(),
                )
        return queryset
