"""The page of a payment, with its refunds and every call of the gateway about it."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import amount, label
from apps.backoffice.order_links import LinksToOrder, ids_by_number
from apps.backoffice.read_only import ReadOnlyAdmin, ReadOnlyInline
from apps.payments.models import GatewayCall, Payment, Refund


class CallInline(ReadOnlyInline):
    """Every call of the gateway, with its idempotency key."""

    model = GatewayCall
    verbose_name_plural = "gateway calls"
    fields = readonly_fields = (
        "created_at", "purpose", "outcome_label", "detail", "key", "duration_ms",
    )  # fmt: skip
    ordering = ("-created_at",)

    @display(description="outcome")
    def outcome_label(self, call: GatewayCall) -> SafeString:
        return label(call.outcome)


class RefundInline(ReadOnlyInline):
    """Refunds of this payment, in every state."""

    model = Refund
    fields = readonly_fields = (
        "created_at", "money", "status_label", "purpose", "reason", "actor", "message",
    )  # fmt: skip
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("payment")

    @display(description="amount")
    def money(self, refund: Refund) -> str:
        return amount(refund.amount, refund.payment.currency)

    @display(description="status")
    def status_label(self, refund: Refund) -> SafeString:
        return label(refund.status)


@admin.register(Payment)
class PaymentAdmin(LinksToOrder, ReadOnlyAdmin):
    """The attempts to pay an order: one row for each card, the live one counts."""

    list_display = (
        "order", "money", "status_label", "captured", "refunded", "payment_method", "created_at",
    )  # fmt: skip
    list_display_links = ("money",)
    list_filter = (("status", ChoicesDropdownFilter), ("created_at", DaysFilter))
    search_fields = ("=intent_id",)
    search_help_text = "Order number or the gateway's id (pi_…)"
    ordering = ("-id",)
    readonly_fields = (
        "order", "status_label", "money", "captured", "refunded", "payment_method", "intent_id",
        "attempt", "live", "decline_code", "message", "generation", "asked_at", "created_at",
        "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("order", "status_label"), ("money", "captured", "refunded"))}),
        ("At the gateway", {"fields": (
            ("intent_id", "payment_method"), ("attempt", "live"), ("decline_code", "message"),
            ("generation", "asked_at"), ("created_at", "updated_at"),
        )}),
    )  # fmt: skip
    inlines = (RefundInline, CallInline)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(intent_id=term) | Q(order_id__in=list(ids_by_number(term)))
        return queryset.filter(wanted), False

    @display(description="amount", ordering="amount")
    def money(self, payment: Payment) -> str:
        return amount(payment.amount, payment.currency)

    @display(description="captured", ordering="captured_amount")
    def captured(self, payment: Payment) -> str:
        return amount(payment.captured_amount, payment.currency)

    @display(description="refunded", ordering="refunded_amount")
    def refunded(self, payment: Payment) -> str:
        return amount(payment.refunded_amount, payment.currency)

    @display(description="status", ordering="status")
    def status_label(self, payment: Payment) -> SafeString:
        return label(payment.status)
