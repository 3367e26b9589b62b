"""The order list, and the page of one order (order_detail.py).

An order has no form: it changes by the buttons only (order_buttons.py).
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice import csv_export
from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import amount, label
from apps.backoffice.review_cases import parse_uuid
from apps.orders import staff_search
from apps.orders.admin import order_csv
from apps.orders.admin.attention_filter import AttentionFilter
from apps.orders.admin.order_buttons import OrderButtonsAdmin
from apps.orders.admin.order_detail import load_order_detail
from apps.orders.models import Order, Saga


@admin.register(Order)
class OrderAdmin(OrderButtonsAdmin):
    """The order list, and an order's page: read only, with buttons that act."""

    list_display = ("number", "status_label", "total", "email", "placed_at", "saga_label")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("saga__state", ChoicesDropdownFilter),
        AttentionFilter,
        ("placed_at", DaysFilter),
    )
    list_select_related = ("saga",)
    search_fields = ("number",)
    search_help_text = "Number, e-mail, SKU, or the name on a recent order"
    ordering = ("-id",)
    fields = ("number",)
    actions = ("export_selected",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return staff_search.matching(queryset, search_term), False

    @display(description="status", ordering="status")
    def status_label(self, order: Order) -> SafeString:
        return label(order.status, order.get_status_display())

    @display(description="total", ordering="total_amount")
    def total(self, order: Order) -> str:
        return amount(order.total_amount, order.currency)

    @display(description="saga", ordering="saga__state")
    def saga_label(self, order: Order) -> SafeString | str:
        saga: Saga | None = getattr(order, "saga", None)
        return label(saga.state, title=saga.step) if saga is not None else "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        order_id = parse_uuid(object_id)
        detail = load_order_detail(order_id) if order_id is not None else None
        context = {**(extra_context or {}), "detail": detail}
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase:
        return csv_export.download(request, queryset, order_csv.COLUMNS, name="orders", people=True)
