"""How the shop's pages show an order's status; the words are in the table of statuses."""

from typing import Any

from apps.orders import unshipped
from apps.orders.models import Order
from apps.orders.status import DONE, OrderStatus
from apps.web.order_endings import Shown

# By code, what a stage is called until it is done: "Paid" would be a promise.
UNTIL_DONE = {"paid": "Payment"}
# What a cancelled order is called depends on its reason: the page's script asks the server.
ASKED_OF_THE_SERVER = OrderStatus.CANCELLED


def stages_of(order: Order, shown: Shown) -> list[dict[str, str]]:
    """The stages of the progress bar, each with its code, the state it is in, and its names.

    `name` is the one in that state, `done` and `before` are those that the script chooses from.
    """
    return [
        {
            "code": code,
            "state": state,
            "name": name if state == DONE else UNTIL_DONE.get(code, name),
            "done": name,
            "before": UNTIL_DONE.get(code, name),
        }
        for (code, name), state in zip(unshipped.stages_of(order), shown.stages, strict=True)
    ]


def for_script(order: Order) -> dict[str, dict[str, Any]]:
    """By status, what the page's script needs to show a move of `order` without a request."""
    return {
        str(status): {"label": row.headline, "stages": row.stages}
        for status, row in unshipped.statuses_of(order).items()
        if status != ASKED_OF_THE_SERVER
    }
