"""The desk in the back office, and the log of what was decided there."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from unfold.contrib.filters.admin import DropdownFilter

from apps.desk import kinds, page
from apps.desk.models import Decision
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.order_links import LinksToOrder, ids_by_number
from storefront.backoffice.read_only import ReadOnlyAdmin


class KindFilter(DropdownFilter):
    """What was decided about."""

    title = "kind"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.name, kind.title) for kind in kinds.in_order_of_locking()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Decision)
class DecisionAdmin(LinksToOrder, ReadOnlyAdmin):
    """Who decided what about which case, and why: to look at, for ever."""

    list_display = ("created_at", "kind", "subject", "order", "decision", "reason", "actor")
    list_filter = (KindFilter, ("created_at", DaysFilter))
    search_fields = ("=subject",)
    search_help_text = "Order number, the case's id, or who decided"
    ordering = ("-id",)
    fields = readonly_fields = (
        "created_at", "kind", "subject", "order", "decision", "reason", "actor",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(subject=term) | Q(actor=term) | Q(order_id__in=list(ids_by_number(term)))
        return queryset.filter(wanted), False

    def get_urls(self) -> list[Any]:
        def desk(request: HttpRequest) -> HttpResponse:
            return page.desk(self, request)

        def decide(request: HttpRequest, name: str) -> HttpResponse:
            return page.decide_chosen(self, request, name)

        shown = self.admin_site.admin_view
        return [
            path("open/", shown(desk), name="desk"),
            path("decide/<slug:name>/", shown(decide), name="desk_decide"),
            *super().get_urls(),
        ]
