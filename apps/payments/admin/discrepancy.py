"""The page of a discrepancy between the gateway's books and ours, and what staff may decide.

The decisions are: look again, give the money back, adopt refunds, leave it as it is. Each needs a
reason and goes through `reconciler.discrepancies`. The gateway is not called here: a worker does.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from apps.backoffice import review_cases
from apps.backoffice.actions import Done, Refusal, StaffAction, actor, perform
from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label, link
from apps.backoffice.order_links import order_url, with_number
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.payments.admin.discrepancy_cases import DECIDE, REFUND
from apps.payments.models import Discrepancy
from apps.payments.reconciler import discrepancies
from apps.payments.reconciler.findings import RETURNED
from apps.payments.refunds import RefundRefused


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    """One row for each payment and kind of difference."""

    list_display = (
        "subject", "kind", "state_label", "order", "why", "first_seen_at", "last_seen_at",
    )  # fmt: skip
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("first_seen_at", DaysFilter),
    )
    search_fields = ("=subject",)
    search_help_text = "The gateway's id (pi_…)"
    ordering = ("-id",)
    readonly_fields = (
        "subject", "kind", "state_label", "order", "payment", "why", "tries", "asked_at",
        "first_seen_at", "last_seen_at", "resolution", "resolved_by", "resolved_at", "done",
        "decisions", "both_sides",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (
            ("subject", "kind", "state_label"), "why", ("order", "payment"),
            ("first_seen_at", "last_seen_at"),
        )}),
        ("What was done", {"fields": ("done", ("tries", "asked_at"))}),
        ("Decisions", {"fields": ("resolution", ("resolved_by", "resolved_at"), "decisions")}),
        ("Both sides, as they were seen last", {"fields": ("both_sides",)}),
    )  # fmt: skip
    actions_detail = ("look_again", "give_back", "adopt", "leave_be")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("payment")
        return with_number(rows.annotate(order_id=F("payment__order_id")))

    @display(description="order")
    def order(self, row: Any) -> SafeString | str:
        if row.order_id is None:
            return "–"
        return link(order_url(row.order_id), row.order_number or row.order_id)

    @display(description="state", ordering="state")
    def state_label(self, row: Discrepancy) -> SafeString:
        return label("review" if row.state == "open" else "done", row.state)

    @display(description="history")
    def done(self, row: Discrepancy) -> SafeString | str:
        lines = ((line["at"][:19].replace("T", " "), line["what"]) for line in row.history)
        return format_html_join("", "<div>{} UTC: {}</div>", lines) or "–"

    @display(description="decisions")
    def decisions(self, row: Discrepancy) -> SafeString | str:
        return review_cases.history(discrepancies.KIND_OF_CASE, row.pk)

    @display(description="evidence")
    def both_sides(self, row: Discrepancy) -> SafeString:
        text = json.dumps(row.evidence, indent=2, ensure_ascii=False)
        return format_html('<pre class="bo-pre bo-mono">{}</pre>', text)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        row = self.get_object(request, str(object_id))
        if row is None or row.state != Discrepancy.State.OPEN:
            return []
        offered = {
            "give_back": row.kind in RETURNED,
            "adopt": row.kind == Discrepancy.Kind.REFUNDED_THERE,
        }
        return [
            button
            for button in super().get_actions_detail(request, object_id)
            if offered.get(button.method.original_function_name, True)
        ]

    @action(description="Look again", url_path="look-again", permissions=[DECIDE], icon="replay")
    def look_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            verb=discrepancies.look_again,
            title="Look at {} again",
            button="Look again",
            explanation="A worker asks the gateway now. When the two sides agree it is closed.",
            outcome="looked at again",
        )

    @action(
        description="Give the money back",
        url_path="give-back",
        permissions=[DECIDE, REFUND],
        icon="currency_exchange",
    )
    def give_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            verb=discrepancies.give_back,
            title="Give back {}",
            button="Give the money back",
            explanation="A worker cancels what is reserved, or refunds all that was taken and has"
            " not gone back. It cannot be undone.",
            outcome="its money goes back",
            danger=True,
            fresh_sign_in=True,
        )

    @action(
        description="Adopt the refund", url_path="adopt", permissions=[DECIDE], icon="library_add"
    )
    def adopt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            verb=discrepancies.adopt_refunds,
            title="Adopt the refunds of {}",
            button="Adopt",
            explanation="What somebody gave back at the gateway's dashboard is written into our"
            " books, as a refund with your name. No money moves.",
            outcome="adopted",
            fresh_sign_in=True,
        )

    @action(description="Leave it be", url_path="leave-be", permissions=[DECIDE], icon="task_alt")
    def leave_be(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            verb=discrepancies.resolve,
            title="Leave {} as it is",
            button="Leave it be",
            explanation="Both sides stay as they are. Seen in another form it is opened again.",
            outcome="left as it is",
        )

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        verb: Callable[..., Any],
        title: str,
        button: str,
        explanation: str,
        outcome: str,
        danger: bool = False,
        fresh_sign_in: bool = False,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            messages.error(request, "No such discrepancy.")
            return HttpResponseRedirect(reverse("admin:payments_discrepancy_changelist"))
        pk: UUID = row.pk

        def do(form: Any) -> Done:
            reason = form.cleaned_data["reason"]
            try:
                verb(pk, actor=actor(request), reason=reason)
            except discrepancies.NotOpen:
                raise Refusal("This cannot be decided (any more). Nothing was changed.") from None
            except RefundRefused as refused:
                raise Refusal(f"{refused}. Nothing was changed.") from refused
            return [(row, f"{row.subject}: {outcome}. {reason}")]

        staff_action = StaffAction(
            title=title.format(row.subject),
            button=button,
            permission=DECIDE,
            explanation=explanation,
            facts=[("what", row.get_kind_display()), ("state", row.state), ("why", row.why)],
            do=do,
            danger=danger,
            fresh_sign_in=fresh_sign_in,
        )
        back = reverse("admin:payments_discrepancy_change", args=[pk])
        return perform(self, request, staff_action, back=back, target=row)
