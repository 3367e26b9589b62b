"""Cancel an order before shipment."""

from typing import Any

from apps.backoffice.actions import Done, Refusal, StaffAction
from apps.orders.admin.actions.order_facts import NO_SAGA, facts
from apps.orders.admin.actions.permissions import CANCEL, REFUND
from apps.orders.errors import NotCancellable
from apps.orders.fulfilment.cancellation import gives_money_back, request_cancellation
from apps.orders.models import Order, Saga
from apps.orders.saga.undone import BY_STAFF

PAID_MEANWHILE = "It was paid meanwhile: to cancel it takes the right to refund, too."


def cancellation(order: Order, *, actor: str, may_refund: bool) -> StaffAction:
    """Undo everything that was done for the order, and send the money back.

    may_refund: whether this person has the right to refund; where money would go back they need it.
    """

    def do(form: Any) -> Done:
        saga = Saga.objects.select_for_update().filter(order=order).first()
        if saga is None:
            raise Refusal(NO_SAGA)
        # Asked again under the lock: the order may have been paid since the page was checked.
        if not may_refund and gives_money_back(saga):
            raise Refusal(PAID_MEANWHILE)
        if saga.state == Saga.State.UNDOING or saga.cancel_requested_at is not None:
            raise Refusal("This order is being cancelled already.")
        try:
            request_cancellation(order.pk, reason=BY_STAFF, actor=actor)
        except NotCancellable as refused:
            raise Refusal(
                "It cannot be cancelled: the goods have left, or the order is over or in review."
            ) from refused
        return [(order, f"Cancellation asked for. {form.cleaned_data['reason']}")]

    return StaffAction(
        title=f"Cancel order {order.number}",
        button="Cancel the order",
        permission=CANCEL,
        further_permissions=needed(order),
        explanation="The worker gives the stock and promo codes back, calls the payment back or"
        " refunds it, and writes to the shopper. This cannot be taken back.",
        facts=facts(order),
        danger=True,
        fresh_sign_in=True,
        do=do,
    )


def needed(order: Order) -> tuple[str, ...]:
    """What it takes beside CANCEL, as the order stands: REFUND where money would go back."""
    saga = Saga.objects.filter(order=order).first()
    return (REFUND,) if saga is not None and gives_money_back(saga) else ()
