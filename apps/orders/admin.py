"""Orders in the back office: looked at whole, moved by deeds only.

An order has no form. Its page is the dossier; its buttons are the domain's verbs, each asked for on
a page of its own, permission-checked, done once and written down.
"""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.views import ChangeList

from apps.desk import page
from apps.desk.models import Decision
from apps.orders import review
from apps.orders.backoffice import order_deeds
from apps.orders.backoffice.dossier import open_dossier
from apps.orders.models import Order, OrderLine, Return, Saga
from storefront.backoffice import csv_export
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Deed, actor, perform
from storefront.backoffice.looks import amount, label
from storefront.backoffice.order_links import order_url
from storefront.backoffice.read_only import ReadOnlyAdmin
from storefront.money import decimal_string


def is_uuid(text: str) -> UUID | None:
    """The id in an address, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


class StuckFilter(DropdownFilter):
    """Where a person, or the worker, is behind."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("review", "In review"),
            ("ship", "To be handed over"),
            ("return", "Return announced"),
            ("late", "Past its deadline, unfinished"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "review":
                return queryset.filter(saga__state=Saga.State.REVIEW)
            case "ship":
                return queryset.filter(status=Order.Status.CONFIRMED, saga__state=Saga.State.DONE)
            case "return":
                return queryset.filter(status=Order.Status.RETURN_INITIATED)
            case "late":
                return queryset.filter(
                    saga__state__in=[Saga.State.FORWARD, Saga.State.UNDOING],
                    saga__deadline_at__lt=Now(),
                )
        return queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders."""

    list_display = ("number", "status_label", "total", "email", "placed_at", "saga_label")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("saga__state", ChoicesDropdownFilter),
        StuckFilter,
        ("placed_at", DaysFilter),
    )
    list_select_related = ("saga",)
    search_fields = ("number",)
    search_help_text = "Number, e-mail or SKU"
    ordering = ("-id",)
    fields = ("number",)
    actions = ("export_selected",)
    actions_detail = (
        "hand_over", "deliver", "receive_return", "refund", "retry", "undo", "resolve", "cancel",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """By what the indexes can answer: beginnings of number and e-mail, whole SKUs."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(email__startswith=term) | Q(email__startswith=term.lower())
        if "@" not in term:
            wanted |= Q(number__startswith=term.upper())
            wanted |= Q(pk__in=OrderLine.objects.filter(sku=term).values("order_id"))
        return queryset.filter(wanted), False

    @display(description="status", ordering="status")
    def status_label(self, order: Order) -> SafeString:
        return label(order.status, order.get_status_display())

    @display(description="total", ordering="total_amount")
    def total(self, order: Order) -> str:
        return amount(order.total_amount, order.currency)

    @display(description="saga", ordering="saga__state")
    def saga_label(self, order: Order) -> SafeString | str:
        saga: Saga | None = getattr(order, "saga", None)
        return label(saga.state, title=saga.step) if saga is not None else "–"

    # --- one order ------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        order_id = is_uuid(object_id)
        dossier = open_dossier(order_id) if order_id is not None else None
        context = {**(extra_context or {}), "dossier": dossier}
        return super().change_view(request, object_id, form_url, context)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        order_id = is_uuid(str(object_id))
        offered = order_deeds.offered(order_id) if order_id is not None else frozenset()
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            shown
            for shown in super().get_actions_detail(request, object_id)
            if shown.action_name.removeprefix(prefix) in offered
        ]

    def _order_deed(self, request: HttpRequest, object_id: str, make: Any) -> HttpResponse:
        order = self.get_object(request, object_id)
        if order is None:
            messages.error(request, "No such order.")
            return HttpResponseRedirect(reverse("admin:orders_order_changelist"))
        deed: Deed = make(order, actor=actor(request))
        return perform(self, request, deed, back=order_url(order.pk), target=order)

    @action(
        description="Hand to carrier",
        url_path="hand-over",
        permissions=[order_deeds.CHANGE],
        icon="local_shipping",
        variant=ActionVariant.PRIMARY,
    )
    def hand_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._order_deed(request, object_id, order_deeds.handover)

    @action(
        description="Mark delivered",
        url_path="deliver",
        permissions=[order_deeds.CHANGE],
        icon="task_alt",
        variant=ActionVariant.PRIMARY,
    )
    def deliver(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._order_deed(request, object_id, order_deeds.delivery)

    @action(
        description="Receive return",
        url_path="receive-return",
        permissions=[order_deeds.RETURN],
        icon="assignment_return",
        variant=ActionVariant.PRIMARY,
    )
    def receive_return(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._order_deed(request, object_id, order_deeds.arrival)

    @action(
        description="Refund",
        url_path="refund",
        permissions=[order_deeds.REFUND],
        icon="currency_exchange",
    )
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._order_deed(request, object_id, order_deeds.refund)

    @action(
        description="Cancel",
        url_path="cancel",
        permissions=[order_deeds.CHANGE],
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._order_deed(request, object_id, order_deeds.cancellation)

    @action(
        description="Try again",
        url_path="retry",
        permissions=[order_deeds.DECIDE],
        icon="replay",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "retry")

    @action(
        description="Undo the order",
        url_path="undo",
        permissions=[order_deeds.DECIDE],
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "undo")

    @action(
        description="Close as it is",
        url_path="resolve",
        permissions=[order_deeds.DECIDE],
        icon="inventory",
    )
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "resolve")

    def _decide(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        order = self.get_object(request, object_id)
        if order is None:
            messages.error(request, "No such order.")
            return HttpResponseRedirect(reverse("admin:orders_order_changelist"))
        refs = [(review.KIND, str(order.pk))]
        return page.decide(self, request, name, refs, back=order_url(order.pk), target=order)

    # --- files ----------------------------------------------------------------------------------

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> StreamingHttpResponse:
        def money(field: str) -> Any:
            return lambda order: decimal_string(getattr(order, field), order.currency)

        def address(part: str) -> Any:
            return lambda order: order.shipping_address.get(part, "")

        columns: list[csv_export.Column] = [
            ("number", lambda order: order.number),
            ("status", lambda order: order.status),
            ("placed_at", lambda order: order.placed_at),
            ("email", lambda order: order.email),
            ("currency", lambda order: order.currency),
            *((name, money(f"{name}_amount")) for name in AMOUNTS),
            ("promo_codes", lambda order: " ".join(order.promo_codes)),
            ("shipping_method", lambda order: order.shipping_method),
            *((f"ship_{part}", address(part)) for part in ADDRESS_PARTS),
        ]
        return csv_export.download(request, queryset, columns, name="orders")


AMOUNTS = ("subtotal", "discount", "shipping", "tax", "total")
ADDRESS_PARTS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")


# --- Lists whose rows lead to an order ----------------------------------------------------------


class LeadsToOrder(ChangeList):
    """A list whose rows open the order's page."""

    def url_for_result(self, result: Any) -> str:
        return order_url(result.order_id)


class OrderRowsAdmin(ReadOnlyAdmin):
    """Rows that have no page of their own: the order's page shows them whole."""

    list_select_related = ("order",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return LeadsToOrder

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


class QueueFilter(DropdownFilter):
    """The review queue unless something else is asked for."""

    title = "saga state"
    parameter_name = "state"
    all_option = ["", "In review"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        others = [(s.value, s.label) for s in Saga.State if s != Saga.State.REVIEW]
        return [*others, ("due", "Due now"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case None | "":
                return queryset.filter(state=Saga.State.REVIEW)
            case "all":
                return queryset
            case "due":
                return queryset.filter(
                    state__in=[Saga.State.FORWARD, Saga.State.UNDOING], due_at__lte=Now()
                )
        return queryset.filter(state=self.value())


@admin.register(Saga)
class ReviewQueueAdmin(OrderRowsAdmin):
    """The review queue: who has waited longest for a person stands first."""

    list_display = (
        "number", "email", "state_label", "since", "why", "tried", "last_decision",
    )  # fmt: skip
    list_filter = (QueueFilter,)
    search_fields = ("=order__number",)
    search_help_text = "Order number or e-mail"
    ordering = ("updated_at",)
    actions = ("retry_selected", "undo_selected", "resolve_selected")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = "Sagas" if request.GET.get("state") else "Review queue"
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        decisions = Decision.objects.filter(
            kind="saga", subject=Cast(OuterRef("pk"), CharField())
        ).order_by("-id")
        return (
            super()
            .get_queryset(request)
            .annotate(
                decided=Subquery(decisions.values("decision")[:1]),
                decided_by=Subquery(decisions.values("actor")[:1]),
                decided_because=Subquery(decisions.values("reason")[:1]),
            )
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(order__number__startswith=term.upper()) | Q(order__email=term.lower())
        return queryset.filter(wanted), False

    @display(description="state", ordering="state")
    def state_label(self, saga: Saga) -> SafeString:
        return label(saga.state)

    @display(description="since", ordering=F("updated_at"))
    def since(self, saga: Saga) -> Any:
        return saga.updated_at

    @display(description="why")
    def why(self, saga: Saga) -> str:
        return order_deeds.why(saga)

    @display(description="what was tried")
    def tried(self, saga: Saga) -> str:
        return order_deeds.tried(saga)

    @display(description="last decision")
    def last_decision(self, saga: Any) -> str:
        if saga.decided is None:
            return "–"
        return f"{saga.decided} by {saga.decided_by}: {saga.decided_because}"

    # --- decisions about many -------------------------------------------------------------------

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may decide about orders in review."""
        return request.user.has_perm(order_deeds.DECIDE)  # type: ignore[union-attr]

    @admin.action(description="Try again", permissions=["decide"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "retry")

    @admin.action(description="Undo", permissions=["decide"])
    def undo_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "undo")

    @admin.action(description="Close as they are", permissions=["decide"])
    def resolve_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "resolve")

    def _ask_for(self, request: HttpRequest, queryset: QuerySet, name: str) -> HttpResponse | None:
        waiting = queryset.filter(state=Saga.State.REVIEW).order_by("pk")
        ids = list(waiting.values_list("pk", flat=True)[: page.MOST + 1])
        if not ids:
            messages.error(request, "None is in review.")
            return None
        return HttpResponseRedirect(
            page.deciding(name, [(review.KIND, str(pk)) for pk in ids], kind=review.KIND)
        )


@admin.register(Return)
class ReturnAdmin(OrderRowsAdmin):
    """Goods on their way back, or back."""

    list_display = ("number", "email", "state_label", "reason", "created_at", "received_at")
    list_filter = (("state", ChoicesDropdownFilter), ("created_at", DaysFilter))
    search_fields = ("=order__number",)
    search_help_text = "Order number"
    ordering = ("-created_at", "-id")

    @display(description="state", ordering="state")
    def state_label(self, announced: Return) -> SafeString:
        return label(announced.state)
