"""The review queue: orders whose saga waits for a decision of staff."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.backoffice import review_cases
from apps.backoffice.formatting import label
from apps.backoffice.models import Decision
from apps.customers.mailbox import mailbox_of
from apps.orders.admin.actions import review as review_actions
from apps.orders.admin.actions.permissions import DECIDE, REFUND
from apps.orders.admin.order_rows import OrderRowsAdmin
from apps.orders.models import Saga
from apps.orders.saga import review


class QueueFilter(DropdownFilter):
    """Sagas in review, unless another state is chosen."""

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
    """The review queue, the order that has waited longest first."""

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
        wanted = Q(order__number__startswith=term.upper()) | Q(order__mailbox=mailbox_of(term))
        return queryset.filter(wanted), False

    @display(description="state", ordering="state")
    def state_label(self, saga: Saga) -> SafeString:
        return label(saga.state)

    @display(description="since", ordering=F("updated_at"))
    def since(self, saga: Saga) -> Any:
        return saga.updated_at

    @display(description="why")
    def why(self, saga: Saga) -> str:
        return review_actions.why(saga)

    @display(description="what was tried")
    def tried(self, saga: Saga) -> str:
        return review_actions.tried(saga)

    @display(description="last decision")
    def last_decision(self, saga: Any) -> str:
        if saga.decided is None:
            return "–"
        return f"{saga.decided} by {saga.decided_by}: {saga.decided_because}"

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may decide about orders in review."""
        return request.user.has_perm(DECIDE)  # type: ignore[union-attr]

    def has_undo_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may have them undone, which sends money back."""
        return request.user.has_perms((DECIDE, REFUND))  # type: ignore[union-attr]

    @admin.action(description="Try again", permissions=["decide"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._confirm(request, queryset, "retry")

    @admin.action(description="Undo", permissions=["undo"])
    def undo_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._confirm(request, queryset, "undo")

    @admin.action(description="Close as they are", permissions=["decide"])
    def resolve_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._confirm(request, queryset, "resolve")

    def _confirm(self, request: HttpRequest, queryset: QuerySet, name: str) -> HttpResponse | None:
        waiting = queryset.filter(state=Saga.State.REVIEW).order_by("pk")
        ids = list(waiting.values_list("pk", flat=True)[: review_cases.MAX_CASES + 1])
        if not ids:
            messages.error(request, "None is in review.")
            return None
        return HttpResponseRedirect(
            review_cases.decide_url(name, [(review.KIND, str(pk)) for pk in ids], kind=review.KIND)
        )
