"""What an account's page shows below it: its address book and its orders."""

from typing import Any

from django.apps import apps
from django.utils.safestring import SafeString
from unfold.admin import StackedInline
from unfold.decorators import display

from apps.backoffice.formatting import amount, label, link
from apps.backoffice.order_links import order_url
from apps.backoffice.read_only import ReadOnlyInline
from apps.customers.admin.forms import AddressForm
from apps.customers.models import Address


class AddressInline(StackedInline):
    """The address book."""

    model = Address
    form = AddressForm
    extra = 0
    per_page = 20
    collapsible = True
    fieldsets = (
        (None, {"fields": (
            ("name", "phone"), ("line1", "line2"), ("city", "region"), ("postal_code", "country"),
        )}),
    )  # fmt: skip


class OrderInline(ReadOnlyInline):
    """The account's orders, newest first. The model is looked up by name: see order_links.py."""

    model = apps.get_model("orders", "Order")
    fk_name = "user"
    verbose_name_plural = "orders"
    fields = readonly_fields = ("order", "state", "total", "placed_at")
    ordering = ("-id",)
    per_page = 15

    @display(description="order")
    def order(self, order: Any) -> SafeString:
        return link(order_url(order.pk), order.number)

    @display(description="status")
    def state(self, order: Any) -> SafeString:
        return label(order.status)

    @display(description="total")
    def total(self, order: Any) -> str:
        return amount(order.total_amount, order.currency)
