"""What does not fit between the gateway's books and ours, and what staff decide about it.

Open ones stand on the desk. Nothing is typed over: look again, give the money back, adopt refunds,
leave it as it is. Each asks why, and goes through `reconciler.discrepancies`. The gateway is not
asked from here: a worker does.
"""

import json
from collections.abc import Callable, Sequence
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

from apps.desk import kinds, log, page
from apps.desk.kinds import Case, Kind, Way, an_id
from apps.payments.models import Discrepancy, Reconciliation
from apps.payments.reconciler import discrepancies
from apps.payments.reconciler.comparing import GIVEN_BACK
from apps.payments.refunds import RefundRefused
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Deed, Done, Refusal, actor, perform
from storefront.backoffice.looks import label, link
from storefront.backoffice.order_links import order_url, with_number
from storefront.backoffice.read_only import ReadOnlyAdmin

DECIDE = "payments.change_discrepancy"


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    """One row per thing and kind of difference."""

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
        return page.history(discrepancies.DESK, row.pk)

    @display(description="evidence")
    def both_sides(self, row: Discrepancy) -> SafeString:
        text = json.dumps(row.evidence, indent=2, ensure_ascii=False)
        return format_html('<pre class="bo-pre bo-mono">{}</pre>', text)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        row = self.get_object(request, str(object_id))
        if row is None or row.state != Discrepancy.State.OPEN:
            return []
        offered = {
            "give_back": row.kind in GIVEN_BACK,
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
            words="looked at again",
        )

    @action(
        description="Give the money back",
        url_path="give-back",
        permissions=[DECIDE],
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
            words="its money goes back",
            danger=True,
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
            words="adopted",
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
            words="left as it is",
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
        words: str,
        danger: bool = False,
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
            return [(row, f"{row.subject}: {words}. {reason}")]

        deed = Deed(
            title=title.format(row.subject),
            button=button,
            permission=DECIDE,
            explanation=explanation,
            facts=[("what", row.get_kind_display()), ("state", row.state), ("why", row.why)],
            do=do,
            danger=danger,
        )
        back = reverse("admin:payments_discrepancy_change", args=[pk])
        return perform(self, request, deed, back=back, target=row)


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """How far each comparison with the gateway has come."""

    list_display = (
        "scope", "phase", "compared", "settled", "started_at", "finished_at", "failures", "error",
    )  # fmt: skip
    ordering = ("scope",)
    fields = readonly_fields = (
        "scope", "phase", "since", "until", "changed_since", "compared", "settled", "started_at",
        "finished_at", "failures", "error",
    )  # fmt: skip


# --- On the desk --------------------------------------------------------------------------------


def _described(keys: Sequence[str]) -> list[Case]:
    ids = [pk for key in keys if (pk := an_id(key)) is not None]
    return [
        Case(
            kind=discrepancies.DESK,
            key=str(row.pk),
            subject=f"{row.subject}: {row.get_kind_display()}",
            url=reverse("admin:payments_discrepancy_change", args=[row.pk]),
            why=row.why,
            since=row.first_seen_at,
            tried=row.history[-1]["what"] if row.history else "",
            order_id=row.payment.order_id if row.payment is not None else None,
        )
        for row in Discrepancy.objects.filter(pk__in=ids)
        .select_related("payment")
        .defer("evidence")
    ]


def _decider(verb: Callable[..., None], words: str) -> Callable[..., tuple[Discrepancy, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[Discrepancy, str]:
        row = Discrepancy.objects.get(pk=UUID(key))
        try:
            verb(row.pk, actor=actor, reason=reason)
        except discrepancies.NotOpen:
            raise Refusal("This cannot be decided (any more). Nothing was changed.") from None
        return row, f"{row.subject}: {words}. {reason}"

    return decide


kinds.register(
    Kind(
        name=discrepancies.DESK,
        title="Discrepancies",
        one="discrepancy",
        view="payments.view_discrepancy",
        decide=DECIDE,
        waiting=discrepancies.waiting,
        since="first_seen_at",
        describe=_described,
        ways=(
            Way(
                log.RETRY,
                "Look again",
                "A worker asks the gateway now. When the two sides agree it is closed.",
                _decider(discrepancies.look_again, "looked at again"),
            ),
            Way(
                log.RESOLVE,
                "Leave it be",
                "Both sides stay as they are. Seen in another form it is opened again.",
                _decider(discrepancies.resolve, "left as it is"),
                danger=True,
            ),
        ),
    )
)
