"""The calls of a flash sale's waiting room."""

from apps.api.contract.waiting_room import WaitingPlace
from apps.api.openapi.call import call
from apps.api.openapi.parameters import REPLAYED, SECONDS, header

NO_ROOM = {404: "`not_found`: no sale of that name has a queue, or the ticket is not of it"}
LOOK_AGAIN = header("Retry-After", "seconds until you look again", SECONDS)
TAKE_TICKET = call(
    "take_ticket",
    "Queue up for a flash sale",
    {201: WaitingPlace},
    authenticates=False,
    idempotent=True,
    tag="checkout",
    problems=NO_ROOM,
    headers={201: (REPLAYED, LOOK_AGAIN)},
    description=(
        "First come, first served. Keep the ticket, look at your place every `Retry-After` seconds"
        " (a client that does not ask for 45 seconds is passed over, and keeps its place), and"
        " order with it once `admitted` is true."
    ),
)
LOOK_AT_PLACE = call(
    "look_at_place",
    "Where one stands in the queue",
    {200: WaitingPlace},
    authenticates=False,
    tag="checkout",
    problems=NO_ROOM,
    headers={200: (LOOK_AGAIN,)},
    parameters=(
        header("X-Waiting-Ticket", "the ticket of this sale's waiting room", required=True),
    ),
)
