"""A label, a tracking number and an estimate. Undone by cancelling the parcel.

An order of which nothing is shipped (no shipping method) gets none.
"""

from apps.orders.models import Order
from apps.orders.saga.outcomes import CancelReason, Done, Outcome, Refused, Retry
from apps.orders.saga.step import Claimed, Outcomes, ids
from apps.payments.charging import GatewayResult
from apps.shipping import parcels
from apps.shipping.models import Shipment

NO_SHIPMENT = CancelReason("no_shipment", "We are sorry: we cannot ship this order.")
REFUSES_FOR = (NO_SHIPMENT,)


def do(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Create one label for each order that is shipped."""
    shown = Order.objects.only("number", "shipping_method", "shipping_address")
    orders = shown.in_bulk(ids(claimed))
    labels = parcels.create_labels(
        [
            parcels.ParcelRequest(
                order_id=step.order_id,
                number=orders[step.order_id].number,
                method_code=orders[step.order_id].shipping_method,
                address=orders[step.order_id].shipping_address,
            )
            for step in claimed
            if orders[step.order_id].shipping_method
        ]
    )
    return {
        step.order_id: _outcome(orders[step.order_id], labels.get(step.order_id))
        for step in claimed
    }


def _outcome(order: Order, label: Shipment | None) -> Outcome:
    if not order.shipping_method:
        return Done("nothing to ship")
    if label is None or label.state == Shipment.State.CANCELLED:
        return Refused(NO_SHIPMENT, "We cannot ship this order.")
    return Done(label.tracking_number)


def undo(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Cancel the labels. For a parcel that has left, a person decides in the end."""
    cancelled = parcels.cancel(ids(claimed))
    return {
        step.order_id: Done() if step.order_id in cancelled else Retry("the parcel has left")
        for step in claimed
    }
