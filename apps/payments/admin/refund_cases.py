"""Review cases of stopped refunds: how they are listed, and the decisions that staff may take."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.urls import reverse

from apps.backoffice import decision_log, review_cases
from apps.backoffice.actions import Refusal
from apps.backoffice.formatting import amount, times
from apps.backoffice.review_cases import Case, CaseType, DecisionOption, parse_uuid
from apps.payments import refunds, stopped_refunds
from apps.payments.models import Refund

DECIDE = "payments.change_refund"


def _describe(keys: Sequence[str]) -> list[Case]:
    ids = [refund_id for key in keys if (refund_id := parse_uuid(key)) is not None]
    return [
        Case(
            kind=stopped_refunds.KIND,
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


def _decide(verb: Callable[..., Refund], outcome: str) -> Callable[..., tuple[Refund, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[Refund, str]:
        try:
            refund = verb(UUID(key), actor=actor, reason=reason)
        except stopped_refunds.NotStopped as refused:
            raise Refusal(f"{refused} Nothing was changed.") from refused
        except refunds.RefundRefused as refused:
            raise Refusal(f"It was not sent again: {refused}. Nothing was changed.") from refused
        money = amount(refund.amount, refund.payment.currency)
        return refund, f"Refund of {money}: {outcome}. {reason}"

    return decide


review_cases.register(
    CaseType(
        name=stopped_refunds.KIND,
        title="Refunds",
        singular="refund",
        view_permission="payments.view_refund",
        decide_permission=DECIDE,
        waiting=stopped_refunds.stopped,
        since="created_at",
        describe=_describe,
        options=(
            DecisionOption(
                decision_log.RETRY,
                "Send again",
                "The gateway is asked for it again. One that has failed there is over: a new refund"
                " of the same amount takes its place.",
                _decide(stopped_refunds.retry, "sent again"),
                fresh_sign_in=True,
            ),
            DecisionOption(
                decision_log.RESOLVE,
                "Settled otherwise",
                "The shopper has the money in another way, by bank transfer say. Nothing is sent.",
                _decide(stopped_refunds.resolve, "settled otherwise"),
                danger=True,
                fresh_sign_in=True,
            ),
        ),
    )
)
