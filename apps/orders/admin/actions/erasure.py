"""Erase a buyer: an account, or the guest behind an order."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import Model
from unfold.widgets import UnfoldBooleanWidget

from apps.backoffice.actions import Done, ReasonForm, Refusal, StaffAction
from apps.core.erased_person import is_erased
from apps.customers.models import User
from apps.orders.admin.actions.permissions import ERASE
from apps.orders.erasure import NotErasable, erase_account, erase_guest
from apps.orders.models import Order

EXPLANATION = (
    "Account, addresses, cart, mails and every text that names the person are emptied. Orders stay,"
    " with their lines, money, tax, country and region: the books need them. Nobody can sign in"
    " again, or be written to. This cannot be taken back. Refused while an order is under way."
)


class ErasureForm(ReasonForm):
    """Why, and a tick, so that pressing Enter does not erase."""

    sure = forms.BooleanField(
        label="I have checked that it is this person who asks", widget=UnfoldBooleanWidget
    )
    field_order = ["form_id", "reason", "sure"]


def of_account(user: User, *, actor: str) -> StaffAction:
    """Erase an account, its orders, and what its mailbox ordered as a guest."""
    orders = Order.objects.filter(user=user).count()
    return _action(
        user.email,
        [("Account", user.email), ("Name", user.name or "–"), ("Orders", orders)],
        lambda reason: erase_account(user.pk, actor=actor, reason=reason),
    )


def of_guest(order: Order, *, actor: str) -> StaffAction:
    """Erase the guest who placed this order, with what the same mailbox ordered as a guest."""
    orders = Order.objects.filter(user__isnull=True, mailbox=order.mailbox).count()
    return _action(
        f"order {order.number}",
        [("Order", order.number), ("E-mail", order.email), ("Orders of this mailbox", orders)],
        lambda reason: erase_guest(order.pk, actor=actor, reason=reason),
    )


def is_offered(order: Order) -> bool:
    """Whether an order's page has the button: a guest's that is not erased yet."""
    return order.user_id is None and not is_erased(order.email)


def _action(name: str, facts: list[tuple[str, Any]], erase: Callable[[str], Model]) -> StaffAction:
    def do(form: Any) -> Done:
        try:
            erased = erase(form.cleaned_data["reason"])
        except NotErasable as refused:
            raise Refusal(f"Nothing was erased: {refused}.") from refused
        # The reason is in the log of decisions, without the person's name.
        return [(erased, "The buyer was erased.")]

    return StaffAction(
        title=f"Erase the buyer of {name}" if name.startswith("order ") else f"Erase {name}",
        button="Erase for good",
        permission=ERASE,
        explanation=EXPLANATION,
        facts=facts,
        form=ErasureForm,
        danger=True,
        fresh_sign_in=True,
        do=do,
    )
