"""Send an order's money back, all that is left or a part of it."""

from typing import Any

from unfold.widgets import UnfoldAdminTextInputWidget

from apps.backoffice.actions import Done, ReasonForm, Refusal, StaffAction
from apps.backoffice.formatting import amount
from apps.core.money_forms import MoneyField
from apps.orders.admin.actions.order_facts import facts
from apps.orders.admin.actions.permissions import REFUND
from apps.orders.models import Order
from apps.payments import refunds
from apps.payments.models import Payment


class RefundForm(ReasonForm):
    """How much, and why."""

    amount = MoneyField(min_value=1, widget=UnfoldAdminTextInputWidget)
    field_order = ["form_id", "amount", "reason"]


def refund(order: Order, *, actor: str) -> StaffAction:
    """Send money back to the shopper. The goods stay with them."""
    payment = Payment.objects.filter(order_id=order.pk, live=True).first()
    rest = refunds.refundable(payment) if payment is not None else 0
    return StaffAction(
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
        fresh_sign_in=True,
        do=lambda form: _request(order, form, actor=actor),
    )


def _request(order: Order, form: Any, *, actor: str) -> Done:
    wanted, reason = form.cleaned_data["amount"], form.cleaned_data["reason"]
    # Every refund takes this lock: what is left cannot change before the refund's row is written.
    payment = Payment.objects.select_for_update().filter(order_id=order.pk, live=True).first()
    if payment is None:
        raise Refusal("This order has no payment.")
    left = refunds.refundable(payment)
    if left <= 0:
        raise Refusal("Nothing is left to refund.")
    if wanted > left:
        raise Refusal(
            f"At most {amount(left, payment.currency)} is left to refund.", field="amount"
        )
    made = refunds.request_refund(
        order.pk,
        amount=wanted,
        purpose=f"admin:{form.cleaned_data['form_id']}",
        reason=reason,
        actor=actor,
    )
    return [(order, f"Refund of {amount(made.amount, payment.currency)} asked for. {reason}")]
