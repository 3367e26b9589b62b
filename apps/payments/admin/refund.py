"""The page of a refund, where staff decide about one that stopped."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from apps.backoffice import decision_log, review_cases
from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import amount, label, link
from apps.backoffice.order_links import ids_by_number, order_url, with_number
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.payments import stopped_refunds
from apps.payments.admin.refund_cases import DECIDE
from apps.payments.models import Refund


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """The refunds of all payments."""

    list_display = ("order", "money", "status_label", "purpose", "reason", "actor", "created_at")
    list_display_links = ("money",)
    list_filter = (("status", ChoicesDropdownFilter), ("created_at", DaysFilter))
    list_select_related = ("payment",)
    search_fields = ("=gateway_id",)
    search_help_text = "Order number or the gateway's id (re_…)"
    ordering = ("-id",)
    fields = readonly_fields = (
        "order", "payment", "money", "status_label", "purpose", "reason", "actor", "gateway_id",
        "message", "attempts", "due_at", "created_at", "settled_at", "decisions",
    )  # fmt: skip
    actions_detail = ("send_again", "settle_otherwise")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("payment")
        return with_number(rows.annotate(order_id=F("payment__order_id")))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        orders = list(ids_by_number(term))
        return queryset.filter(Q(gateway_id=term) | Q(payment__order_id__in=orders)), False

    @display(description="decisions")
    def decisions(self, refund: Refund) -> SafeString | str:
        return review_cases.history(stopped_refunds.KIND, refund.pk)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        refund = self.get_object(request, str(object_id))
        if refund is None or not stopped_refunds.stopped().filter(pk=refund.pk).exists():
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description="Send again",
        url_path="send-again",
        permissions=[DECIDE],
        icon="replay",
    )
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, decision_log.RETRY, object_id)

    @action(
        description="Settled otherwise",
        url_path="settled-otherwise",
        permissions=[DECIDE],
        icon="task_alt",
    )
    def settle_otherwise(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, decision_log.RESOLVE, object_id)

    def _decide(self, request: HttpRequest, name: str, object_id: str) -> HttpResponse:
        refund = self.get_object(request, object_id)
        if refund is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        back = reverse("admin:payments_refund_change", args=[refund.pk])
        refs = [(stopped_refunds.KIND, str(refund.pk))]
        return review_cases.decide(self, request, name, refs, back=back, target=refund)

    @display(description="order")
    def order(self, refund: Any) -> SafeString | str:
        if refund.order_number is None:
            return str(refund.order_id)
        return link(order_url(refund.order_id), refund.order_number)

    @display(description="amount", ordering="amount")
    def money(self, refund: Refund) -> str:
        return amount(refund.amount, refund.payment.currency)

    @display(description="status", ordering="status")
    def status_label(self, refund: Refund) -> SafeString:
        return label(refund.status)
