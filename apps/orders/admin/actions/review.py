"""Orders in review, as a case type of the review cases: try again, undo, or close as it is."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import UnfoldBooleanWidget

from apps.backoffice import decision_log
from apps.backoffice.actions import ReasonForm, Refusal
from apps.backoffice.formatting import times
from apps.backoffice.order_links import order_url
from apps.backoffice.review_cases import Case, CaseType, DecisionOption, parse_uuid, register
from apps.orders.admin.actions.order_facts import facts
from apps.orders.admin.actions.permissions import DECIDE, REFUND
from apps.orders.errors import NotInReview, StillOpen
from apps.orders.models import Order, Saga
from apps.orders.saga import review


class ClosingForm(ReasonForm):
    """Why, and whether to release what the order still keeps."""

    let_go = forms.BooleanField(
        required=False,
        label="Let go what it still keeps, and cancel the order",
        help_text="Units go back on the shelf, promo codes may be used again, the shopper is told."
        " Money that is reserved or taken has to be given back first.",
        widget=UnfoldBooleanWidget,
    )


def why(saga: Saga) -> str:
    """Why an order waits for a person."""
    return saga.review_reason or (f"waits for {saga.waiting_for}" if saga.waiting_for else "–")


def tried(saga: Saga) -> str:
    """What was tried, how often, and how it ended the last time."""
    parts = [saga.step.replace("_", " ")]
    if saga.attempts:
        parts.append(times(saga.attempts))
    return ", ".join(parts) + (f": {saga.last_error}" if saga.last_error else "")


def _describe(keys: Sequence[str]) -> list[Case]:
    ids = [order_id for key in keys if (order_id := parse_uuid(key)) is not None]
    return [
        Case(
            kind=review.KIND,
            key=str(saga.pk),
            subject=f"Order {saga.order.number}",
            url=order_url(saga.pk),
            why=why(saga),
            since=saga.updated_at,
            tried=tried(saga),
            order_id=saga.pk,
        )
        for saga in Saga.objects.filter(pk__in=ids).select_related("order")
    ]


def _facts(key: str, name: str) -> list[tuple[str, Any]]:
    order = Order.objects.get(pk=UUID(key))
    shown = facts(order)
    if name == decision_log.RESOLVE:
        shown.append(("Still open", "; ".join(review.still_open(order.pk)) or "nothing"))
    return shown


def _decider(function: Callable[..., None], outcome: str) -> Callable[..., tuple[Order, str]]:
    def decide(key: str, *, actor: str, reason: str, **answers: Any) -> tuple[Order, str]:
        order = Order.objects.get(pk=UUID(key))
        try:
            function(order.pk, actor=actor, reason=reason, **answers)
        except (NotInReview, Saga.DoesNotExist) as refused:
            raise Refusal(
                f"{order.number} is not in review (any more). Nothing was changed."
            ) from refused
        except StillOpen as refused:
            raise Refusal(
                f"{order.number} cannot be closed: {refused}. Nothing was changed.",
                field="reason",
            ) from refused
        text = "let go and cancelled" if answers.get("let_go") else outcome
        return order, f"{order.number}: {text}. {reason}"

    return decide


register(
    CaseType(
        name=review.KIND,
        title="Orders",
        singular="order",
        view_permission="orders.view_saga",
        decide_permission=DECIDE,
        waiting=review.waiting,
        since="updated_at",
        describe=_describe,
        facts=_facts,
        options=(
            DecisionOption(
                decision_log.RETRY,
                "Try again",
                "The worker goes on from where it stood, with fresh attempts.",
                _decider(review.retry, "tried again"),
                fresh_sign_in=True,  # an order that was being undone continues to send money back
            ),
            DecisionOption(
                decision_log.UNDO,
                "Undo the order",
                "Everything done so far is undone: payment, stock, promo codes. This cannot be"
                " taken back.",
                _decider(review.undo, "being undone"),
                permissions=(REFUND,),  # money that was taken goes back
                danger=True,
                fresh_sign_in=True,
            ),
            DecisionOption(
                review.ACCEPT_PART,
                "Accept the part",
                "Only where the gateway took a part of the total: the order goes on, and what was"
                " taken is all that is paid for it. Nothing more can be taken.",
                _decider(review.accept_part, "goes on for the part that was taken"),
                danger=True,
                fresh_sign_in=True,
            ),
            DecisionOption(
                decision_log.RESOLVE,
                "Close as it is",
                "Somebody has settled it by hand, outside the shop, and nobody comes back to it:"
                " an order that still keeps units or money is not closed.",
                _decider(review.resolve, "closed as it is"),
                danger=True,
                form=ClosingForm,
                fresh_sign_in=True,
            ),
        ),
    )
)
