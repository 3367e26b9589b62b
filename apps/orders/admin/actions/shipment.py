"""Hand an order's parcel to the carrier, and mark it delivered."""

from typing import Any

from apps.backoffice.actions import Done, Refusal, StaffAction, StaffActionForm
from apps.orders.admin.actions.order_facts import NO_SAGA, facts
from apps.orders.admin.actions.permissions import SHIP
from apps.orders.fulfilment import shipping
from apps.orders.models import Order, Saga
from apps.shipping.errors import ShipmentNotFound, WrongShipmentState


def handover(order: Order, *, actor: str) -> StaffAction:
    """The carrier has taken the parcel."""

    def do(form: Any) -> Done:
        try:
            shipping.hand_to_carrier(order.pk, actor=actor)
        except Saga.DoesNotExist as missing:
            raise Refusal(NO_SAGA) from missing
        except (shipping.NotReady, WrongShipmentState, ShipmentNotFound) as refused:
            raise Refusal(f"It cannot be handed over: {refused}") from refused
        return [(order, "Handed to the carrier.")]

    return StaffAction(
        title=f"Hand order {order.number} to the carrier",
        button="Hand to carrier",
        permission=SHIP,
        explanation="The shopper gets a mail with the tracking number. From here on the order"
        " cannot be cancelled.",
        facts=facts(order),
        form=StaffActionForm,
        do=do,
    )


def delivery(order: Order, *, actor: str) -> StaffAction:
    """The parcel has arrived."""

    def do(form: Any) -> Done:
        try:
            shipping.mark_delivered(order.pk, actor=actor)
        except (shipping.NotReady, WrongShipmentState, ShipmentNotFound) as refused:
            raise Refusal(f"It cannot be marked delivered: {refused}") from refused
        return [(order, "Marked delivered.")]

    return StaffAction(
        title=f"Mark order {order.number} delivered",
        button="Mark delivered",
        permission=SHIP,
        explanation="From here on the shopper can announce a return.",
        facts=facts(order),
        form=StaffActionForm,
        do=do,
    )
