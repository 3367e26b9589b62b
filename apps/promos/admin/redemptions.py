"""Redemptions: the list of all, and those of one promo on its page."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.backoffice.formatting import amount
from apps.backoffice.order_links import LinksToOrder, ids_by_number
from apps.backoffice.read_only import ReadOnlyAdmin, ReadOnlyInline
from apps.customers.mailbox import mailbox_of
from apps.promos.codes import normalise
from apps.promos.models import Redemption


class RedemptionInline(LinksToOrder, ReadOnlyInline):
    """The redemptions of one promo, newest first."""

    model = Redemption
    fields = readonly_fields = (
        "order", "customer_key", "discount", "live", "use_number", "created_at",
    )  # fmt: skip
    ordering = ("-created_at", "-id")

    @display(description="discount")
    def discount(self, redemption: Redemption) -> str:
        return amount(redemption.discount_amount)


@admin.register(Redemption)
class RedemptionAdmin(LinksToOrder, ReadOnlyAdmin):
    """The redemptions of all promos; searched by mailbox, code or order number."""

    list_display = (
        "created_at", "promo", "order", "customer_key", "discount", "live", "use_number",
    )  # fmt: skip
    list_filter = ("live",)
    list_select_related = ("promo",)
    search_fields = ("=customer_key", "=promo__normal_code")
    search_help_text = "E-mail, code or order number"
    ordering = ("-id",)
    fields = readonly_fields = (
        "promo", "order", "customer_key", "discount", "live", "use_number", "created_at",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(customer_key=mailbox_of(term)) | Q(order_id__in=list(ids_by_number(term)))
        if normalise(term):
            wanted |= Q(promo__normal_code=normalise(term))
        return queryset.filter(wanted), False

    @display(description="discount")
    def discount(self, redemption: Redemption) -> str:
        return amount(redemption.discount_amount)
