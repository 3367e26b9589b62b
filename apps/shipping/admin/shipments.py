"""Parcels, read only."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.formatting import label
from apps.backoffice.order_links import LinksToOrder, ids_by_number
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.shipping.models import Shipment


@admin.register(Shipment)
class ShipmentAdmin(LinksToOrder, ReadOnlyAdmin):
    """The parcels of all orders."""

    list_display = (
        "tracking_number", "order", "carrier", "service", "state_label", "estimate", "created_at",
    )  # fmt: skip
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("tracking_number",)
    search_help_text = "Tracking number or order number"
    ordering = ("-id",)
    fields = readonly_fields = (
        "order", "carrier", "service", "tracking_number", "state_label", "estimate", "created_at",
        "handed_over_at", "delivered_at",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        orders = list(ids_by_number(term))
        wanted = Q(tracking_number__startswith=term.upper()) | Q(order_id__in=orders)
        return queryset.filter(wanted), False

    @display(description="state", ordering="state")
    def state_label(self, shipment: Shipment) -> SafeString:
        return label(shipment.state)

    @display(description="estimate", ordering="estimated_from")
    def estimate(self, shipment: Shipment) -> str:
        return f"{shipment.estimated_from:%-d %b} to {shipment.estimated_to:%-d %b %Y}"
