"""The button "Erase buyer" on an account's page. Its page is the orders': see order_buttons.py.

Customers import no orders, and orders know whether something of a buyer is under way.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from apps.core.erased_person import is_erased

ERASE = "customers.erase_user"


class EraseButton(ModelAdmin):
    """For the admin of accounts: shown for a buyer's account that is not erased yet."""

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        person: Any = self.get_object(request, str(object_id))
        shown = super().get_actions_detail(request, object_id)
        if person is None or person.is_staff or person.is_superuser or is_erased(person.email):
            return [each for each in shown if not each.action_name.endswith("erase_buyer")]
        return shown

    @action(
        description="Erase buyer",
        url_path="erase-buyer",
        permissions=[ERASE],
        icon="person_remove",
        variant=ActionVariant.DANGER,
    )
    def erase_buyer(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the page that asks."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return HttpResponseRedirect(reverse("admin:customers_user_changelist"))
        return HttpResponseRedirect(reverse("admin:orders_erase_account", args=[object_id]))
