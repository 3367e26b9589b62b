"""The list of returns."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label
from apps.orders.admin.order_rows import OrderRowsAdmin
from apps.orders.models import Return


@admin.register(Return)
class ReturnAdmin(OrderRowsAdmin):
    """Returns that were announced, received or refused."""

    list_display = (
        "number",
        "email",
        "state_label",
        "reason",
        "created_at",
        "received_at",
        "refused_at",
    )
    list_filter = (("state", ChoicesDropdownFilter), ("created_at", DaysFilter))
    search_fields = ("=order__number",)
    search_help_text = "Order number"
    ordering = ("-created_at", "-id")

    @display(description="state", ordering="state")
    def state_label(self, announced: Return) -> SafeString:
        return label(announced.state)
