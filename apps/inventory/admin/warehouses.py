"""Warehouses, and which of them is the default."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from apps.backoffice.actions import Done, ReasonForm, StaffAction, perform
from apps.backoffice.checks import OfflineChecks
from apps.backoffice.old_and_new import OldAndNew
from apps.inventory.models import Warehouse

CHANGE = "inventory.change_warehouse"


@admin.register(Warehouse)
class WarehouseAdmin(OldAndNew, ModelAdmin):
    """The places that ship. The default is set by an action, so that there is at most one."""

    checks_class = OfflineChecks
    list_display = ("name", "code", "priority", "is_default")
    fields = ("name", "code", "priority", "is_default")
    readonly_fields = ("is_default",)
    prepopulated_fields = {"code": ("name",)}
    actions = ()
    actions_detail = ("make_default",)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    @action(description="Make default", url_path="make-default", permissions=[CHANGE], icon="star")
    def make_default(self, request: HttpRequest, object_id: str) -> HttpResponse:
        warehouse = self.get_object(request, object_id)
        if warehouse is None:
            messages.error(request, "No such warehouse.")
            return HttpResponseRedirect(reverse("admin:inventory_warehouse_changelist"))
        asked = StaffAction(
            title=f"Make {warehouse} the default warehouse",
            button="Make default",
            permission=CHANGE,
            explanation="Imports and plain receipts go to the default warehouse.",
            form=ReasonForm,
            do=lambda _form: _make_default(warehouse),
        )
        back = reverse("admin:inventory_warehouse_change", args=[object_id])
        return perform(self, request, asked, back=back, target=warehouse)


def _make_default(warehouse: Warehouse) -> Done:
    # All rows are locked in one order. Without it, two staff members who set different defaults at
    # once would meet the unique constraint, and the second would see an error.
    list(Warehouse.objects.select_for_update().order_by("pk"))
    Warehouse.objects.filter(is_default=True).update(is_default=False)
    Warehouse.objects.filter(pk=warehouse.pk).update(is_default=True)
    return [(warehouse, f"{warehouse} is the default warehouse now.")]
