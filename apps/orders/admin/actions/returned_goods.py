"""Receive the goods of a return."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from apps.backoffice.actions import Done, Refusal, StaffAction, StaffActionForm
from apps.orders.admin.actions.order_facts import facts
from apps.orders.admin.actions.permissions import RECEIVE
from apps.orders.fulfilment import returns
from apps.orders.models import Order, Return
from apps.payments import refunds


class ReturnForm(StaffActionForm):
    """Which of the announced returns has arrived."""

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
    """What the return contains, as `2 × MUG-1, 1 × KETTLE: too large`."""
    items = ", ".join(f"{line.quantity} × {line.line.sku}" for line in announced.lines.all())
    return f"{items}: {announced.reason[:60]}"


def receive_return(order: Order, *, actor: str) -> StaffAction:
    """Receive the goods of a return."""

    def do(form: Any) -> Done:
        announced: Return = form.cleaned_data["arrived"]
        try:
            first = returns.receive_return(announced.pk, actor=actor)
        except refunds.RefundRefused as refused:
            raise Refusal(f"It was not received: {refused}. Nothing was changed.") from refused
        if not first:
            raise Refusal("This return was received before.")
        return [(order, f"Return received: {contents(announced)}")]

    return StaffAction(
        title=f"Receive a return of order {order.number}",
        button="Receive",
        permission=RECEIVE,
        explanation="The units go back on the shelf, their money goes back to the shopper, and a"
        " mail says so.",
        facts=facts(order),
        form=lambda *args, **kwargs: ReturnForm(*args, order=order, **kwargs),
        fresh_sign_in=True,
        do=do,
    )
