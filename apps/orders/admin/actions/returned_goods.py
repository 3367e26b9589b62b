"""Decide about a return: receive it, whole or in part, or refuse it."""

from collections.abc import Callable
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from apps.backoffice.actions import Done, Refusal, StaffAction, StaffActionForm
from apps.orders.admin.actions.order_facts import facts
from apps.orders.admin.actions.permissions import RECEIVE
from apps.orders.errors import WrongUnits
from apps.orders.fulfilment import returns
from apps.orders.fulfilment.returns import ANSWER_MAX, Received
from apps.orders.models import Order, Return, ReturnLine
from apps.payments import refunds

DECIDED = "This return was decided before."


class ReturnForm(StaffActionForm):
    """Which of the announced returns, and what the shopper is told."""

    arrived = forms.ModelChoiceField(
        Return.objects.none(), label="Return", widget=UnfoldAdminSelectWidget
    )
    answer = forms.CharField(
        label="For the shopper",
        max_length=ANSWER_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Stands in the mail and on the order's page.",
    )
    field_order = ["form_id", "arrived", "answer"]

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.announced = list(
            order.returns.filter(state=Return.State.REQUESTED)
            .select_related("order")
            .prefetch_related("lines__line")
            .order_by("created_at", "id")
        )
        field: Any = self.fields["arrived"]
        field.queryset = Return.objects.filter(pk__in=[each.pk for each in self.announced])
        field.queryset = field.queryset.prefetch_related("lines__line").order_by("created_at", "id")
        field.label_from_instance = contents
        field.empty_label = None


class ReceiveForm(ReturnForm):
    """Also how many units of each line are accepted, and how many of those are damaged.

    The fields of all announced returns are shown; those of the chosen one count.
    """

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        self.fields["answer"].required = False
        self.fields[
            "answer"
        ].help_text = (
            "Needed where less than all is accepted. Stands in the mail and on the order's page."
        )
        several = len(self.announced) > 1
        for announced in self.announced:
            for line in announced.lines.all():
                of = f"{announced.number}: " if several else ""
                name = f"{of}{line.line.name} ({line.line.sku})"
                self.fields[accepted_of(line)] = _units(
                    f"{name}, accepted", line.quantity, f"Of {line.quantity} that were announced."
                )
                self.fields[damaged_of(line)] = _units(
                    f"{name}, damaged", 0, "Of the accepted: refunded, and not put on the shelf."
                )
        self.order_fields(["form_id", "arrived", *self._unit_fields(), "answer"])

    def _unit_fields(self) -> list[str]:
        return [name for name in self.fields if name.startswith(("accepted_", "damaged_"))]

    def units(self) -> dict[int, Received]:
        """Of the chosen return, by the id of its line; an empty field is all, or none damaged."""
        units = {}
        for line in self.cleaned_data["arrived"].lines.all():
            accepted = self.cleaned_data.get(accepted_of(line))
            damaged = self.cleaned_data.get(damaged_of(line))
            units[line.pk] = Received(line.quantity if accepted is None else accepted, damaged or 0)
        return units


def _units(label: str, initial: int, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=0,
        max_value=100_000,
        required=False,
        initial=initial,
        help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "max-w-xs"}),
    )


def accepted_of(line: ReturnLine) -> str:
    """The name of the field with a line's accepted units."""
    return f"accepted_{line.pk}"


def damaged_of(line: ReturnLine) -> str:
    """The name of the field with a line's damaged units."""
    return f"damaged_{line.pk}"


def contents(announced: Return) -> str:
    """What the return contains, as `2 × MUG-1, 1 × KETTLE: too large`."""
    items = ", ".join(f"{line.quantity} × {line.line.sku}" for line in announced.lines.all())
    return f"{items}: {announced.reason[:60]}"


def receive_return(order: Order, *, actor: str) -> StaffAction:
    """Receive the goods of a return, all of them or a part."""

    def do(form: Any) -> Done:
        announced: Return = form.cleaned_data["arrived"]
        units = form.units()
        try:
            first = returns.receive_return(
                announced.pk, actor=actor, units=units, answer=form.cleaned_data["answer"]
            )
        except WrongUnits as wrong:
            raise _beside_its_field(wrong) from wrong
        except refunds.RefundRefused as refused:
            raise Refusal(f"It was not received: {refused}. Nothing was changed.") from refused
        if not first:
            raise Refusal(DECIDED)
        return [(order, f"Return received: {_decided(announced, units)}")]

    return _about_a_return(
        order,
        ReceiveForm,
        do,
        title="Receive a return",
        button="Receive",
        explanation="What is accepted is refunded as it was paid, and a mail says so. It goes back"
        " on the shelf, but for what is damaged.",
    )


def refuse_return(order: Order, *, actor: str) -> StaffAction:
    """Refuse a return: no unit is booked, and no money goes back."""

    def do(form: Any) -> Done:
        announced: Return = form.cleaned_data["arrived"]
        answer = form.cleaned_data["answer"]
        try:
            first = returns.refuse_return(announced.pk, actor=actor, answer=answer)
        except WrongUnits as wrong:
            raise _beside_its_field(wrong) from wrong
        if not first:
            raise Refusal(DECIDED)
        return [(order, f"Return refused: {contents(announced)}. {answer}")]

    return _about_a_return(
        order,
        ReturnForm,
        do,
        title="Refuse a return",
        button="Refuse",
        explanation="Nothing goes on the shelf and no money goes back. The shopper is told why, by"
        " mail and on the order's page, and cannot announce these units again.",
        danger=True,
    )


def _about_a_return(
    order: Order,
    form: type[ReturnForm],
    do: Callable[[Any], Done],
    *,
    title: str,
    button: str,
    explanation: str,
    danger: bool = False,
) -> StaffAction:
    return StaffAction(
        title=f"{title} of order {order.number}",
        button=button,
        permission=RECEIVE,
        explanation=explanation,
        facts=facts(order),
        form=lambda *args, **kwargs: form(*args, order=order, **kwargs),
        fresh_sign_in=True,
        danger=danger,
        do=do,
    )


def _beside_its_field(wrong: WrongUnits) -> Refusal:
    field = f"accepted_{wrong.line}" if wrong.line else "answer"
    return Refusal(str(wrong), field=field)


def _decided(announced: Return, units: dict[int, Received]) -> str:
    """As `contents`, with what was accepted: `1 of 2 × MUG-1 (1 damaged)`."""
    parts = []
    for line in announced.lines.all():
        told = units[line.pk]
        count = f"{told.accepted} of " if told.accepted != line.quantity else ""
        damaged = f" ({told.damaged} damaged)" if told.damaged else ""
        parts.append(f"{count}{line.quantity} × {line.line.sku}{damaged}")
    return f"{', '.join(parts)}: {announced.reason[:60]}."
