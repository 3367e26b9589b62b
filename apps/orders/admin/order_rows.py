"""Lists whose rows belong to an order and open the order's page."""

from typing import Any

from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.views import ChangeList

from apps.backoffice.formatting import label
from apps.backoffice.order_links import order_url
from apps.backoffice.read_only import ReadOnlyAdmin


class OrderLinkChangeList(ChangeList):
    """A list whose rows open the order's page."""

    def url_for_result(self, result: Any) -> str:
        return order_url(result.order_id)


class OrderRowsAdmin(ReadOnlyAdmin):
    """For rows that have no page of their own: the order's page shows all of them."""

    list_select_related = ("order",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return OrderLinkChangeList

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return HttpResponseRedirect(order_url(row.order_id))

    @display(description="order", ordering="order__id")
    def number(self, row: Any) -> str:
        return row.order.number

    @display(description="status", ordering="order__status")
    def status_label(self, row: Any) -> SafeString:
        return label(row.order.status, row.order.get_status_display())

    @display(description="customer", ordering="order__email")
    def email(self, row: Any) -> str:
        return row.order.email
