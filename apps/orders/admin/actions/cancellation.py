"""Cancel an order before shipment."""

from typing import Any

from apps.backoffice.actions import Done, Refusal, StaffAction
from apps.orders.admin.actions.order_facts import NO_SAGA, facts
from apps.orders.admin.actions.permissions import CHANGE
from apps.orders.errors import NotCancellable
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order, Saga
from apps.orders.saga.undone import BY_STAFF


def cancellation(order: Order, *, actor: str) -> StaffAction:
    """Undo everything that was done for the order, and send the money back."""

    def do(form: Any) -> Done:
        saga = Saga.objects.select_for_update().filter(order=order).first()
        if saga is None:
            raise Refusal(NO_SAGA)
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
        permission=CHANGE,
        explanation="The worker gives the stock and promo codes back, calls the payment back or"
        " refunds it, and writes to the shopper. This cannot be taken back.",
        facts=facts(order),
        danger=True,
        fresh_sign_in=True,
        do=do,
    )
