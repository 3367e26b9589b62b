"""Review cases of discrepancies: how they are listed, and the decisions that staff may take."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.urls import reverse

from apps.backoffice import decision_log, review_cases
from apps.backoffice.actions import Refusal
from apps.backoffice.review_cases import Case, CaseType, DecisionOption, parse_uuid
from apps.payments.models import Discrepancy
from apps.payments.reconciler import discrepancies

DECIDE = "payments.change_discrepancy"
REFUND = "payments.add_refund"  # beside DECIDE, where money goes back


def _describe(keys: Sequence[str]) -> list[Case]:
    ids = [pk for key in keys if (pk := parse_uuid(key)) is not None]
    return [
        Case(
            kind=discrepancies.KIND_OF_CASE,
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


def _decider(verb: Callable[..., None], outcome: str) -> Callable[..., tuple[Discrepancy, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[Discrepancy, str]:
        row = Discrepancy.objects.get(pk=UUID(key))
        try:
            verb(row.pk, actor=actor, reason=reason)
        except discrepancies.NotOpen:
            raise Refusal("This cannot be decided (any more). Nothing was changed.") from None
        return row, f"{row.subject}: {outcome}. {reason}"

    return decide


review_cases.register(
    CaseType(
        name=discrepancies.KIND_OF_CASE,
        title="Discrepancies",
        singular="discrepancy",
        view_permission="payments.view_discrepancy",
        decide_permission=DECIDE,
        waiting=discrepancies.waiting,
        since="first_seen_at",
        describe=_describe,
        options=(
            DecisionOption(
                decision_log.RETRY,
                "Look again",
                "A worker asks the gateway now. When the two sides agree it is closed.",
                _decider(discrepancies.look_again, "looked at again"),
            ),
            DecisionOption(
                decision_log.RESOLVE,
                "Leave it be",
                "Both sides stay as they are. Seen in another form it is opened again.",
                _decider(discrepancies.resolve, "left as it is"),
                danger=True,
            ),
        ),
    )
)
