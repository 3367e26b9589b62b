"""Money in the back office: payments, refunds and the webhook inbox, to look at.

Nothing here is typed over; a refund is asked for on the order's page. What a person decides about a
dead or quarantined event goes through `inbox.resolve`, with a reason.

dj-stripe's own pages are taken off: its tables hold the webhook secrets and API keys in the clear,
and its objects hold client secrets. Merchants need none of them; Stripe's dashboard has the rest.
"""

import json
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from apps.payments import (
    admin_discrepancies,  # noqa: F401  registers its pages: Django looks for them here
    inbox,
)
from apps.payments.models import GatewayCall, Payment, Refund, WebhookInbox
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Deed, Done, Refusal, actor, perform
from storefront.backoffice.looks import amount, label, link
from storefront.backoffice.order_links import LinksToOrder, ids_by_number, order_url, with_number
from storefront.backoffice.read_only import ReadOnlyAdmin, ReadOnlyInline
from storefront.redaction import redact

DECIDE = "payments.change_webhookinbox"
State = WebhookInbox.State

for model in [m for m in admin.site._registry if m._meta.app_label == "djstripe"]:
    admin.site.unregister(model)


class CallInline(ReadOnlyInline):
    """Every question to the gateway, with the key that makes it one question."""

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
    """What went back, or is on its way."""

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
    """The one payment of each order."""

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
        "decline_code", "message", "generation", "asked_at", "created_at", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("order", "status_label"), ("money", "captured", "refunded"))}),
        ("At the gateway", {"fields": (
            ("intent_id", "payment_method"), ("decline_code", "message"),
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


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """Money on its way back, over all payments: what is stuck stands here."""

    list_display = ("order", "money", "status_label", "purpose", "reason", "actor", "created_at")
    list_display_links = ("money",)
    list_filter = (("status", ChoicesDropdownFilter), ("created_at", DaysFilter))
    list_select_related = ("payment",)
    search_fields = ("=gateway_id",)
    search_help_text = "Order number or the gateway's id (re_…)"
    ordering = ("-id",)
    fields = readonly_fields = (
        "order", "payment", "money", "status_label", "purpose", "reason", "actor", "gateway_id",
        "message", "attempts", "due_at", "created_at", "settled_at",
    )  # fmt: skip

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


class UndecidedFilter(DropdownFilter):
    """What waits for a person."""

    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "open":
                return queryset.filter(
                    state__in=[State.DEAD, State.QUARANTINED], resolved_at__isnull=True
                )
            case "closed":
                return queryset.filter(resolved_at__isnull=False)
        return queryset


def without_secrets(value: Any) -> Any:
    """A payload to look at: no client secret, no key, no card number."""
    if isinstance(value, dict):
        return {
            name: "[secret]" if str(name).endswith("secret") and kept else without_secrets(kept)
            for name, kept in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return redact(value) if isinstance(value, str) else value


@admin.register(WebhookInbox)
class WebhookInboxAdmin(ReadOnlyAdmin):
    """Every verified event, once."""

    list_display = (
        "event_id", "type", "state_label", "attempts", "error", "received_at", "processed_at",
    )  # fmt: skip
    list_filter = (
        ("state", ChoicesDropdownFilter),
        UndecidedFilter,
        ("received_at", DaysFilter),
    )
    search_fields = ("=event_id", "=type")
    search_help_text = "The event's id (evt_…) or its whole type"
    ordering = ("-received_at", "event_id")
    readonly_fields = (
        "event_id", "type", "state_label", "attempts", "due_at", "error", "received_at",
        "processed_at", "mirrored_at", "mirror_attempts", "resolution", "resolved_by",
        "resolved_at", "content",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("event_id", "type"), ("state_label", "attempts"), "error")}),
        ("Times", {"fields": (
            ("received_at", "due_at", "processed_at"), ("mirrored_at", "mirror_attempts"),
        )}),
        ("Decision", {"fields": ("resolution", ("resolved_by", "resolved_at"))}),
        ("Content", {"fields": ("content",)}),
    )  # fmt: skip
    actions_detail = ("apply_again", "leave_be")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        # A list of fifty events need not read fifty payloads.
        match = request.resolver_match
        return rows.defer("payload") if match and match.url_name.endswith("changelist") else rows

    @display(description="state", ordering="state")
    def state_label(self, event: WebhookInbox) -> SafeString:
        decided = event.resolved_at is not None and event.state in (State.DEAD, State.QUARANTINED)
        return label("closed", f"{event.state}, decided") if decided else label(event.state)

    @display(description="content")
    def content(self, event: WebhookInbox) -> SafeString:
        text = json.dumps(without_secrets(event.payload), indent=2, ensure_ascii=False)
        return format_html('<pre class="bo-pre bo-mono">{}</pre>', text)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        event = self.get_object(request, unquote(str(object_id)))
        if event is None or event.resolved_at is not None:
            return []
        if event.state not in (State.DEAD, State.QUARANTINED):
            return []
        return super().get_actions_detail(request, object_id)

    @action(description="Apply again", url_path="apply-again", permissions=[DECIDE], icon="replay")
    def apply_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, again=True)

    @action(description="Leave it be", url_path="leave-be", permissions=[DECIDE], icon="task_alt")
    def leave_be(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, again=False)

    def _decide(self, request: HttpRequest, object_id: str, *, again: bool) -> HttpResponse:
        event = self.get_object(request, unquote(object_id))
        if event is None:
            messages.error(request, "No such event.")
            return HttpResponseRedirect(reverse("admin:payments_webhookinbox_changelist"))

        def do(form: Any) -> Done:
            reason = form.cleaned_data["reason"]
            if not inbox.resolve(event.pk, actor=actor(request), reason=reason, again=again):
                raise Refusal("This event is not open (any more). Nothing was changed.")
            word = "applied again" if again else "left as it is"
            return [(event, f"{event.pk}: {word}. {reason}")]

        deed = Deed(
            title=f"Apply {event.pk} again" if again else f"Leave {event.pk} as it is",
            button="Apply again" if again else "Leave it be",
            permission=DECIDE,
            explanation="A worker applies the event as if it had just arrived."
            if again
            else "The event has no effect; the books stay as they are.",
            facts=[("type", event.type), ("state", event.state), ("why", event.error)],
            do=do,
        )
        back = reverse("admin:payments_webhookinbox_change", args=[quote(event.pk)])
        return perform(self, request, deed, back=back, target=event)
