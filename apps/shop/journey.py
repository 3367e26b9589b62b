"""An order's way as a shopper sees it: a name for each status, and five stages."""

from dataclasses import asdict, dataclass

from apps.orders.models import Order

S = Order.Status

STAGES = (
    ("received", "Received"),
    ("paid", "Paid"),
    ("packing", "Packing"),
    ("shipped", "On its way"),
    ("delivered", "Delivered"),
)
DONE, NOW, TODO, FAILED = "done", "now", "todo", "failed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a status stands. `tone` colours it in a list."""

    label: str
    stages: tuple[str, ...]
    tone: str = ""


PLACES: dict[str, Place] = {
    S.PENDING: Place("We have your order.", (DONE, NOW, TODO, TODO, TODO)),
    S.REQUIRES_ACTION: Place("Your bank has a question.", (DONE, NOW, TODO, TODO, TODO), " low"),
    S.PAYMENT_AUTHORIZED: Place("Approved.", (DONE, DONE, NOW, TODO, TODO)),
    S.PAYMENT_FAILED: Place("No luck with the card.", (DONE, FAILED, TODO, TODO, TODO), " bad"),
    S.CONFIRMED: Place("We are packing.", (DONE, DONE, NOW, TODO, TODO), " good"),
    S.SHIPPED: Place("Out of the door.", (DONE, DONE, DONE, NOW, TODO), " good"),
    S.DELIVERED: Place("It has arrived.", (DONE, DONE, DONE, DONE, DONE), " good"),
    S.RETURN_INITIATED: Place("A return is on its way.", (DONE, DONE, DONE, DONE, DONE)),
    S.RETURNED: Place("Returned, with thanks.", (DONE, DONE, DONE, DONE, DONE)),
    S.CANCELLED: Place("Called off.", (DONE, FAILED, TODO, TODO, TODO), " bad"),
}
SHORT: dict[str, str] = {
    S.PENDING: "received",
    S.REQUIRES_ACTION: "waits for your bank",
    S.PAYMENT_AUTHORIZED: "approved",
    S.PAYMENT_FAILED: "not paid",
    S.CONFIRMED: "being packed",
    S.SHIPPED: "on its way",
    S.DELIVERED: "delivered",
    S.RETURN_INITIATED: "coming back",
    S.RETURNED: "returned",
    S.CANCELLED: "called off",
}
# Nothing moves by itself from here.
SETTLED = frozenset({S.DELIVERED, S.RETURN_INITIATED, S.RETURNED, S.CANCELLED})


def stages_of(status: str) -> list[dict[str, str]]:
    """The five stages with the state each is in."""
    return [
        {"code": code, "name": name, "state": state}
        for (code, name), state in zip(STAGES, PLACES[status].stages, strict=True)
    ]


def for_script() -> dict[str, dict]:
    """What the page's script needs to show a move without asking."""
    return {str(status): asdict(place) for status, place in PLACES.items()}
