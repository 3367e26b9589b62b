"""What staff do about an order: the domain's verbs, asked for on a page, each once.

Each function makes a Deed (storefront/backoffice/deeds.py) for one order. Whether it is allowed is
the domain's decision, taken under its locks when the form comes back; `offered` is only what the
buttons go by.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from apps.desk import kinds, log
from apps.desk.kinds import Case, Kind, Way, an_id
from apps.orders import cancel, fulfil, returns, review
from apps.orders.errors import NotCancellable, NotInReview, StillOpen
from apps.orders.models import Order, Return, Saga
from apps.payments import refunds
from apps.payments.models import Payment, Refund
from apps.shipping.errors import ShipmentNotFound, WrongShipmentState
from storefront.backoffice.deeds import Deed, DeedForm, Done, ReasonForm, Refusal
from storefront.backoffice.looks import amount, times
from storefront.backoffice.order_links import order_url
from storefront.money_forms import MoneyField

S = Order.Status

CHANGE = "orders.change_order"
REFUND = "payments.add_refund"
RETURN = "orders.change_return"
DECIDE = "orders.change_saga"

NO_SAGA = "This order has no saga: nothing carries it."


def offered(order_id: UUID) -> frozenset[str]:
    """The deeds that make sense as the order stands: what the buttons go by."""
    order = Order.objects.select_related("saga").filter(pk=order_id).first()
    if order is None:
        return frozenset()
    saga: Saga | None = getattr(order, "saga", None)
    payment = Payment.objects.filter(order_id=order_id).first()
    possible = {
        "hand_over": order.status == S.CONFIRMED
        and saga is not None
        and saga.state == Saga.State.DONE,
        "deliver": order.status == S.SHIPPED,
        "receive_return": order.returns.filter(state=Return.State.REQUESTED).exists(),
        "refund": payment is not None and refunds.refundable(payment) > 0,
        "cancel": cancel.is_cancellable(order),
    }
    in_review = saga is not None and saga.state == Saga.State.REVIEW
    possible |= dict.fromkeys(("retry", "undo", "resolve"), in_review)
    return frozenset(name for name, is_possible in possible.items() if is_possible)


def facts(order: Order) -> list[tuple[str, Any]]:
    """What stands above every form: which order it is."""
    return [
        ("Order", order.number),
        ("Status", order.get_status_display()),
        ("Total", amount(order.total_amount, order.currency)),
        ("Customer", order.email),
    ]


# --- Before shipment ----------------------------------------------------------------------------


def cancellation(order: Order, *, actor: str) -> Deed:
    """Everything undone, the money back."""

    def do(form: Any) -> Done:
        saga = Saga.objects.select_for_update().filter(order=order).first()
        if saga is None:
            raise Refusal(NO_SAGA)
        if saga.state == Saga.State.UNDOING or saga.cancel_requested_at is not None:
            raise Refusal("This order is being cancelled already.")
        try:
            cancel.request_cancellation(order.pk, reason="staff", actor=actor)
        except NotCancellable as refused:
            raise Refusal(
                "It cannot be cancelled: the goods have left, or the order is over or in review."
            ) from refused
        return [(order, f"Cancellation asked for. {form.cleaned_data['reason']}")]

    return Deed(
        title=f"Cancel order {order.number}",
        button="Cancel the order",
        permission=CHANGE,
        explanation="The worker gives the stock and promo codes back, calls the payment back or"
        " refunds it, and writes to the shopper. This cannot be taken back.",
        facts=facts(order),
        danger=True,
        do=do,
    )


def handover(order: Order, *, actor: str) -> Deed:
    """The parcel leaves the house."""

    def do(form: Any) -> Done:
        try:
            fulfil.hand_to_carrier(order.pk, actor=actor)
        except Saga.DoesNotExist as missing:
            raise Refusal(NO_SAGA) from missing
        except (fulfil.NotReady, WrongShipmentState, ShipmentNotFound) as refused:
            raise Refusal(f"It cannot be handed over: {refused}") from refused
        return [(order, "Handed to the carrier.")]

    return Deed(
        title=f"Hand order {order.number} to the carrier",
        button="Hand to carrier",
        permission=CHANGE,
        explanation="The shopper gets a mail with the tracking number. From here on the order"
        " cannot be cancelled.",
        facts=facts(order),
        form=DeedForm,
        do=do,
    )


def delivery(order: Order, *, actor: str) -> Deed:
    """The parcel has arrived."""

    def do(form: Any) -> Done:
        try:
            fulfil.mark_delivered(order.pk, actor=actor)
        except (fulfil.NotReady, WrongShipmentState, ShipmentNotFound) as refused:
            raise Refusal(f"It cannot be marked delivered: {refused}") from refused
        return [(order, "Marked delivered.")]

    return Deed(
        title=f"Mark order {order.number} delivered",
        button="Mark delivered",
        permission=CHANGE,
        explanation="From here on the shopper can announce a return.",
        facts=facts(order),
        form=DeedForm,
        do=do,
    )


# --- Money and goods coming back ----------------------------------------------------------------


class RefundForm(ReasonForm):
    """How much, and why."""

    amount = MoneyField(min_value=1, widget=UnfoldAdminTextInputWidget)
    field_order = ["form_id", "amount", "reason"]


def refund(order: Order, *, actor: str) -> Deed:
    """Money back to the shopper, all that is left or a part. The goods stay where they are."""
    payment = Payment.objects.filter(order_id=order.pk).first()
    rest = refunds.refundable(payment) if payment is not None else 0

    def do(form: Any) -> Done:
        wanted, reason = form.cleaned_data["amount"], form.cleaned_data["reason"]
        # The lock of every refund: what is left cannot change between here and the row.
        locked = Payment.objects.select_for_update().filter(order_id=order.pk).first()
        if locked is None:
            raise Refusal("This order has no payment.")
        left = refunds.refundable(locked)
        if left <= 0:
            raise Refusal("Nothing is left to refund.")
        if wanted > left:
            raise Refusal(
                f"At most {amount(left, locked.currency)} is left to refund.", field="amount"
            )
        made: Refund = refunds.request_refund(
            order.pk,
            amount=wanted,
            purpose=f"admin:{form.cleaned_data['form_id']}",
            reason=reason,
            actor=actor,
        )
        return [(order, f"Refund of {amount(made.amount, locked.currency)} asked for. {reason}")]

    return Deed(
        title=f"Refund order {order.number}",
        button="Refund",
        permission=REFUND,
        explanation="The money goes back the way it came. The goods stay with the shopper, and the"
        " order keeps its status: to call it off before shipment, cancel it.",
        facts=[
            *facts(order),
            ("Captured", amount(payment.captured_amount if payment else 0, order.currency)),
            ("Left to refund", amount(rest, order.currency)),
        ],
        form=RefundForm,
        initial={"amount": rest},
        danger=True,
        do=do,
    )


class ReturnForm(DeedForm):
    """Which return has arrived."""

    arrived = forms.ModelChoiceField(
        Return.objects.none(), label="Return", widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        announced = order.returns.filter(state=Return.State.REQUESTED).prefetch_related(
            "lines__line"
        )
        field: Any = self.fields["arrived"]
        field.queryset = announced.order_by("created_at", "id")
        field.label_from_instance = contents
        field.empty_label = None


def contents(announced: Return) -> str:
    """`2 × MUG-1, 1 × KETTLE: too large`."""
    items = ", ".join(f"{line.quantity} × {line.line.sku}" for line in announced.lines.all())
    return f"{items}: {announced.reason[:60]}"


def arrival(order: Order, *, actor: str) -> Deed:
    """The goods are back in the house."""

    def do(form: Any) -> Done:
        announced: Return = form.cleaned_data["arrived"]
        try:
            first = returns.receive_return(announced.pk, actor=actor)
        except refunds.RefundRefused as refused:
            raise Refusal(f"It was not received: {refused}. Nothing was changed.") from refused
        if not first:
            raise Refusal("This return was received before.")
        return [(order, f"Return received: {contents(announced)}")]

    return Deed(
        title=f"Receive a return of order {order.number}",
        button="Receive",
        permission=RETURN,
        explanation="The units go back on the shelf, their money goes back to the shopper, and a"
        " mail says so.",
        facts=facts(order),
        form=lambda *args, **kwargs: ReturnForm(*args, order=order, **kwargs),
        do=do,
    )


# --- Review -------------------------------------------------------------------------------------


class ClosingForm(ReasonForm):
    """Why, and whether what is still open is to be let go."""

    let_go = forms.BooleanField(
        required=False,
        label="Let go what it still keeps, and cancel the order",
        help_text="Units go back on the shelf, promo codes may be used again, the shopper is told."
        " Money that is reserved or taken has to be given back first.",
        widget=UnfoldBooleanWidget,
    )


def why(saga: Saga) -> str:
    """Why an order waits."""
    return saga.review_reason or (f"waits for {saga.waiting_for}" if saga.waiting_for else "–")


def tried(saga: Saga) -> str:
    """What was tried, how often, and how it ended the last time."""
    words = [saga.step.replace("_", " ")]
    if saga.attempts:
        words.append(times(saga.attempts))
    return ", ".join(words) + (f": {saga.last_error}" if saga.last_error else "")


def _sagas(keys: Sequence[str]) -> list[Case]:
    ids = [order_id for key in keys if (order_id := an_id(key)) is not None]
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
    if name == log.RESOLVE:
        shown.append(("Still open", "; ".join(review.still_open(order.pk)) or "nothing"))
    return shown


def _about(verb: Callable[..., None], words: str) -> Callable[..., tuple[Order, str]]:
    def decide(key: str, *, actor: str, reason: str, **answers: Any) -> tuple[Order, str]:
        order = Order.objects.get(pk=UUID(key))
        try:
            verb(order.pk, actor=actor, reason=reason, **answers)
        except (NotInReview, Saga.DoesNotExist) as refused:
            raise Refusal(
                f"{order.number} is not in review (any more). Nothing was changed."
            ) from refused
        except StillOpen as refused:
            raise Refusal(
                f"{order.number} cannot be closed: {refused}. Nothing was changed.",
                field="reason",
            ) from refused
        said = "let go and cancelled" if answers.get("let_go") else words
        return order, f"{order.number}: {said}. {reason}"

    return decide


kinds.register(
    Kind(
        name=review.KIND,
        title="Orders",
        one="order",
        view="orders.view_saga",
        decide=DECIDE,
        waiting=review.waiting,
        since="updated_at",
        describe=_sagas,
        facts=_facts,
        ways=(
            Way(
                log.RETRY,
                "Try again",
                "The worker goes on from where it stood, with fresh attempts.",
                _about(review.retry, "tried again"),
            ),
            Way(
                log.UNDO,
                "Undo the order",
                "Everything done so far is undone: payment, stock, promo codes. This cannot be"
                " taken back.",
                _about(review.undo, "being undone"),
                danger=True,
            ),
            Way(
                log.RESOLVE,
                "Close as it is",
                "Somebody has settled it by hand, outside the shop, and nobody comes back to it:"
                " an order that still keeps units or money is not closed.",
                _about(review.resolve, "closed as it is"),
                danger=True,
                form=ClosingForm,
            ),
        ),
    )
)
