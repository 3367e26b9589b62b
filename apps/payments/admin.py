"""Money in the back office: payments, refunds and the webhook inbox, to look at.

Nothing here is typed over; a refund is asked for on the order's page. What stopped (a refund, an
event, an event's mirror) is decided about with a reason, here or on the desk (apps/desk).

dj-stripe's own pages are taken off: its tables hold the webhook secrets and API keys in the clear,
and its objects hold client secrets. Merchants need none of them; Stripe's dashboard has the rest.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from apps.desk import kinds, log, page
from apps.desk.kinds import Case, Kind, Way, an_id
from apps.payments import (
    admin_discrepancies,  # noqa: F401  registers its pages: Django looks for them here
    inbox,
    mirror,
    refunds,
)
from apps.payments.models import GatewayCall, Payment, Refund, WebhookInbox
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Refusal
from storefront.backoffice.looks import amount, label, link, times
from storefront.backoffice.order_links import LinksToOrder, ids_by_number, order_url, with_number
from storefront.backoffice.read_only import ReadOnlyAdmin, ReadOnlyInline
from storefront.redaction import redact

DECIDE = "payments.change_webhookinbox"
DECIDE_REFUND = "payments.change_refund"
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
        return page.history(refunds.KIND, refund.pk)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        refund = self.get_object(request, str(object_id))
        if refund is None or not refunds.stopped().filter(pk=refund.pk).exists():
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description="Send again",
        url_path="send-again",
        permissions=[DECIDE_REFUND],
        icon="replay",
    )
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, log.RETRY, object_id)

    @action(
        description="Settled otherwise",
        url_path="settled-otherwise",
        permissions=[DECIDE_REFUND],
        icon="task_alt",
    )
    def settle_otherwise(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, log.RESOLVE, object_id)

    def _decide(self, request: HttpRequest, name: str, object_id: str) -> HttpResponse:
        refund = self.get_object(request, object_id)
        if refund is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        back = reverse("admin:payments_refund_change", args=[refund.pk])
        refs = [(refunds.KIND, str(refund.pk))]
        return page.decide(self, request, name, refs, back=back, target=refund)

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
        "processed_at", "mirrored_at", "mirror_attempts", "mirror_error", "decisions", "content",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("event_id", "type"), ("state_label", "attempts"), "error")}),
        ("Times", {"fields": (
            ("received_at", "due_at", "processed_at"),
        )}),
        ("Copy in dj-stripe's tables", {"fields": (
            ("mirrored_at", "mirror_attempts"), "mirror_error",
        )}),
        ("Decisions", {"fields": ("decisions",)}),
        ("Content", {"fields": ("content",)}),
    )  # fmt: skip
    actions_detail = ("apply_again", "leave_be", "mirror_again", "give_up_mirror")

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

    @display(description="decisions")
    def decisions(self, event: WebhookInbox) -> SafeString | str:
        return page.history(inbox.KIND, event.pk) + page.history(mirror.KIND, event.pk)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        event_id = unquote(str(object_id)).replace("\x00", "")
        offered: tuple[str, ...] = ()
        if inbox.undecided().filter(pk=event_id).exists():
            offered += ("apply_again", "leave_be")
        if mirror.failed().filter(pk=event_id).exists():
            offered += ("mirror_again", "give_up_mirror")
        return [
            shown
            for shown in super().get_actions_detail(request, object_id)
            if shown.action_name.endswith(offered)
        ]

    @action(description="Apply again", url_path="apply-again", permissions=[DECIDE], icon="replay")
    def apply_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, inbox.KIND, log.RETRY, object_id)

    @action(description="Leave it be", url_path="leave-be", permissions=[DECIDE], icon="task_alt")
    def leave_be(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, inbox.KIND, log.RESOLVE, object_id)

    @action(
        description="Mirror again", url_path="mirror-again", permissions=[DECIDE], icon="replay"
    )
    def mirror_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, mirror.KIND, log.RETRY, object_id)

    @action(
        description="Do without its copy",
        url_path="give-up-mirror",
        permissions=[DECIDE],
        icon="task_alt",
    )
    def give_up_mirror(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, mirror.KIND, log.RESOLVE, object_id)

    def _decide(self, request: HttpRequest, kind: str, name: str, object_id: str) -> HttpResponse:
        event = self.get_object(request, unquote(object_id))
        if event is None:
            messages.error(request, "No such event.")
            return HttpResponseRedirect(reverse("admin:payments_webhookinbox_changelist"))
        back = reverse("admin:payments_webhookinbox_change", args=[quote(event.pk)])
        return page.decide(self, request, name, [(kind, event.pk)], back=back, target=event)


# --- On the desk --------------------------------------------------------------------------------


def _events(kind: str, tell: Callable[[WebhookInbox], tuple[str, str]]) -> Any:
    def describe(keys: Sequence[str]) -> list[Case]:
        found = []
        for event in WebhookInbox.objects.filter(pk__in=list(keys)).defer("payload"):
            why, tried = tell(event)
            found.append(
                Case(
                    kind=kind,
                    key=event.pk,
                    subject=f"{event.type} {event.pk}",
                    url=reverse("admin:payments_webhookinbox_change", args=[quote(event.pk)]),
                    why=why,
                    since=event.received_at,
                    tried=tried,
                )
            )
        return found

    return describe


def _of_webhook(event: WebhookInbox) -> tuple[str, str]:
    why = f"{event.state}: {event.error}" if event.error else str(event.state)
    return why, f"tried {times(event.attempts)}" if event.attempts else "not applied"


def _of_mirror(event: WebhookInbox) -> tuple[str, str]:
    why = f"not copied into dj-stripe's tables: {event.mirror_error or 'no word from it'}"
    return why, f"tried {times(event.mirror_attempts)}"


def _about_event(verb: Callable[..., bool], words: str) -> Callable[..., tuple[WebhookInbox, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[WebhookInbox, str]:
        if not verb(key, actor=actor, reason=reason):
            raise Refusal("This event is not open (any more). Nothing was changed.")
        return WebhookInbox.objects.defer("payload").get(pk=key), f"{key}: {words}. {reason}"

    return decide


kinds.register(
    Kind(
        name=inbox.KIND,
        title="Webhooks",
        one="webhook",
        view="payments.view_webhookinbox",
        decide=DECIDE,
        waiting=inbox.undecided,
        since="received_at",
        describe=_events(inbox.KIND, _of_webhook),
        ways=(
            Way(
                log.RETRY,
                "Apply again",
                "A worker applies the event as if it had just arrived.",
                _about_event(partial(inbox.resolve, again=True), "applied again"),
            ),
            Way(
                log.RESOLVE,
                "Leave it be",
                "The event has no effect; the books stay as they are.",
                _about_event(partial(inbox.resolve, again=False), "left as it is"),
            ),
        ),
    )
)
kinds.register(
    Kind(
        name=mirror.KIND,
        title="Mirror",
        one="mirror",
        view="payments.view_webhookinbox",
        decide=DECIDE,
        waiting=mirror.failed,
        since="received_at",
        describe=_events(mirror.KIND, _of_mirror),
        ways=(
            Way(
                log.RETRY,
                "Mirror again",
                "The background worker copies the event into dj-stripe's tables, with fresh tries.",
                _about_event(mirror.retry, "mirrored again"),
            ),
            Way(
                log.RESOLVE,
                "Do without its copy",
                "dj-stripe's tables go without this event. The shop never reads them.",
                _about_event(mirror.give_up, "left out of the mirror"),
            ),
        ),
    )
)


def _refunds(keys: Sequence[str]) -> list[Case]:
    ids = [refund_id for key in keys if (refund_id := an_id(key)) is not None]
    return [
        Case(
            kind=refunds.KIND,
            key=str(refund.pk),
            subject=f"Refund of {amount(refund.amount, refund.payment.currency)}",
            url=reverse("admin:payments_refund_change", args=[refund.pk]),
            why=f"{refund.status}: {refund.message or 'no word from the gateway'}",
            since=refund.created_at,
            tried=f"asked for by {refund.actor or 'the shop'}"
            f" ({refund.reason or refund.purpose}), tried {times(refund.attempts)}",
            order_id=refund.payment.order_id,
        )
        for refund in Refund.objects.filter(pk__in=ids).select_related("payment")
    ]


def _about_refund(verb: Callable[..., Refund], words: str) -> Callable[..., tuple[Refund, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[Refund, str]:
        try:
            refund = verb(UUID(key), actor=actor, reason=reason)
        except refunds.NotStopped as refused:
            raise Refusal(f"{refused} Nothing was changed.") from refused
        except refunds.RefundRefused as refused:
            raise Refusal(f"It was not sent again: {refused}. Nothing was changed.") from refused
        money = amount(refund.amount, refund.payment.currency)
        return refund, f"Refund of {money}: {words}. {reason}"

    return decide


kinds.register(
    Kind(
        name=refunds.KIND,
        title="Refunds",
        one="refund",
        view="payments.view_refund",
        decide=DECIDE_REFUND,
        waiting=refunds.stopped,
        since="created_at",
        describe=_refunds,
        ways=(
            Way(
                log.RETRY,
                "Send again",
                "The gateway is asked for it again. One that has failed there is over: a new refund"
                " of the same amount takes its place.",
                _about_refund(refunds.retry, "sent again"),
            ),
            Way(
                log.RESOLVE,
                "Settled otherwise",
                "The shopper has her money in another way, by bank transfer say. Nothing is sent.",
                _about_refund(refunds.resolve, "settled otherwise"),
                danger=True,
            ),
        ),
    )
)
