"""The pages of the log of decisions, and the URLs of the review cases."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from unfold.contrib.filters.admin import DropdownFilter

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.models import Decision
from apps.backoffice.order_links import LinksToOrder, ids_by_number
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.backoffice.review_cases import case_types
from apps.backoffice.review_cases.decide_view import decide_ticked
from apps.backoffice.review_cases.list_view import review_case_list
from apps.backoffice.sign_in import enrolment


class KindFilter(DropdownFilter):
    """By what was decided about: a case type, or a second factor."""

    title = "kind"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = [(each.name, each.title) for each in case_types.in_locking_order()]
        return [*found, (enrolment.KIND, "Second factors")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Decision)
class DecisionAdmin(LinksToOrder, ReadOnlyAdmin):
    """Who decided what about which case, and why. Append-only."""

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
        def show(request: HttpRequest) -> HttpResponse:
            return review_case_list(self, request)

        def decide(request: HttpRequest, name: str) -> HttpResponse:
            return decide_ticked(self, request, name)

        staff_only = self.admin_site.admin_view
        return [
            path("open/", staff_only(show), name="review_cases"),
            path("decide/<slug:name>/", staff_only(decide), name="review_cases_decide"),
            *super().get_urls(),
        ]
