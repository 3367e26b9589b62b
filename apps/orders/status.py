"""The statuses of an order, one row each: what may precede it, what it is called, how it is shown.

Everything that depends on a status reads it here: transitions.py the allowed moves and messages,
fulfilment/ the groups, the shop's pages the words and the progress bar, the back office the colour.
A new status is a row here, and the choices of the model in a migration.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import TextChoices


class OrderStatus(TextChoices):
    """`Order.Status`. The labels are what staff read."""

    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PAYMENT_AUTHORIZED = "PAYMENT_AUTHORIZED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    CONFIRMED = "CONFIRMED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    RETURN_INITIATED = "RETURN_INITIATED"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"


S = OrderStatus
DONE, NOW, TODO, FAILED = "done", "now", "todo", "failed"

# The stages of the progress bar that shoppers see: (code, name).
STAGES = (
    ("received", "Received"),
    ("paid", "Paid"),
    ("packing", "Packing"),
    ("shipped", "On its way"),
    ("delivered", "Delivered"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """What is known about one status.

    follows: the statuses from which an order may move here.
    message: of the move, for the shopper, unless the move brings its own. At most 255 characters.
    headline, short: what the order page and the list of orders call it.
    stages: the state of each of STAGES: done, now, todo or failed.
    tone: class of the short name in the list of orders (shop's stylesheet), with a space before it.
    colour: of the label in the back office (Unfold's names); empty is grey.
    before_shipment: the shopper or staff may still cancel.
    sold: paid, and its units have left the stock.
    returnable: goods may be announced as a return.
    settled: nothing happens from here unless a person does something.
    forgets_client: nothing is held unpaid from here on, so the digest of the network address,
        which was kept for that limit (intake/unpaid_limits.py), is removed.
    """

    follows: tuple[str, ...]
    message: str
    headline: str
    short: str
    stages: tuple[str, ...]
    tone: str = ""
    colour: str = ""
    before_shipment: bool = False
    sold: bool = False
    returnable: bool = False
    settled: bool = False
    forgets_client: bool = False


STATUSES: Mapping[str, StatusRow] = {
    S.PENDING: StatusRow(
        follows=(S.PAYMENT_FAILED,),  # an order begins here, and comes back to pay again
        message="Order received. Your items are held for you.",
        headline="We have your order.",
        short="received",
        stages=(DONE, NOW, TODO, TODO, TODO),
        colour="info",
        before_shipment=True,
    ),
    S.REQUIRES_ACTION: StatusRow(
        follows=(S.PENDING,),
        message="Your bank asks you to approve the payment.",
        headline="Your bank has a question.",
        short="waits for your bank",
        stages=(DONE, NOW, TODO, TODO, TODO),
        tone=" low",
        colour="warning",
        before_shipment=True,
    ),
    S.PAYMENT_AUTHORIZED: StatusRow(
        follows=(S.PENDING, S.REQUIRES_ACTION),
        message="Your bank has approved the payment.",
        headline="Approved.",
        short="approved",
        stages=(DONE, NOW, TODO, TODO, TODO),  # nothing is taken from the card yet
        colour="info",
        before_shipment=True,
        forgets_client=True,
    ),
    S.PAYMENT_FAILED: StatusRow(
        follows=(S.PENDING, S.REQUIRES_ACTION),
        message="The payment did not go through.",
        headline="No luck with the card.",
        short="not paid",
        stages=(DONE, FAILED, TODO, TODO, TODO),
        tone=" bad",
        colour="danger",
        before_shipment=True,  # the shopper gives up, or its time is over
    ),
    S.CONFIRMED: StatusRow(
        follows=(S.PAYMENT_AUTHORIZED,),
        message="Paid and confirmed. We are packing your order.",
        headline="We are packing.",
        short="being packed",
        stages=(DONE, DONE, NOW, TODO, TODO),
        tone=" good",
        colour="success",
        before_shipment=True,
        sold=True,
    ),
    S.SHIPPED: StatusRow(
        follows=(S.CONFIRMED,),
        message="Your order is on its way.",
        headline="Out of the door.",
        short="on its way",
        stages=(DONE, DONE, DONE, NOW, TODO),
        tone=" good",
        colour="primary",
        sold=True,
    ),
    S.DELIVERED: StatusRow(
        # From RETURN_INITIATED: the return was refused, and nothing came back before it.
        follows=(S.SHIPPED, S.RETURN_INITIATED),
        message="Your order was delivered.",
        headline="It has arrived.",
        short="delivered",
        stages=(DONE, DONE, DONE, DONE, DONE),
        tone=" good",
        colour="success",
        sold=True,
        returnable=True,
        settled=True,
    ),
    S.RETURN_INITIATED: StatusRow(
        follows=(S.DELIVERED, S.RETURNED),  # some came back, and now the rest
        message="We are expecting your return.",
        headline="A return is on its way.",
        short="coming back",
        stages=(DONE, DONE, DONE, DONE, DONE),
        colour="warning",
        sold=True,
        returnable=True,
        settled=True,
    ),
    S.RETURNED: StatusRow(
        follows=(S.RETURN_INITIATED,),
        message="Your return has arrived and the money is on its way back.",
        headline="Returned, with thanks.",
        short="returned",
        stages=(DONE, DONE, DONE, DONE, DONE),
        sold=True,
        returnable=True,
        settled=True,
    ),
    S.CANCELLED: StatusRow(
        follows=(S.PENDING, S.PAYMENT_FAILED, S.PAYMENT_AUTHORIZED, S.CONFIRMED),
        message="The order was cancelled. You have not been charged.",
        headline="Called off.",
        short="called off",
        stages=(DONE, FAILED, TODO, TODO, TODO),
        tone=" bad",
        settled=True,
        forgets_client=True,
    ),
}

BEFORE_SHIPMENT = tuple(status for status, row in STATUSES.items() if row.before_shipment)
SOLD = tuple(status for status, row in STATUSES.items() if row.sold)
RETURNABLE = tuple(status for status, row in STATUSES.items() if row.returnable)
SETTLED = tuple(status for status, row in STATUSES.items() if row.settled)
# From these an undone order becomes CANCELLED; from REQUIRES_ACTION by way of PAYMENT_FAILED.
UNDOABLE = BEFORE_SHIPMENT
