"""The waiting room of a flash sale: take a ticket, ask for its place, go on to the checkout.

The ticket is sent with `POST /checkouts/` as X-Waiting-Ticket. A client asks for its place every
`Retry-After` seconds: that also tells the room that the client is still waiting.
"""

from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.contract.waiting_room import place_document
from apps.api.endpoint import WAITING_TICKET, Endpoint, token_in
from apps.api.idempotency import idempotent
from apps.api.openapi import waiting_rooms as calls
from apps.api.openapi.call import described
from apps.core import rate_limits
from apps.flash_sales import waiting_room
from apps.flash_sales.waiting_room import Place


@idempotent()
class WaitingRoom(Endpoint):
    """A place in the queue of one sale."""

    # A place depends on the ticket alone, not on an account.
    authentication_classes = []
    limits = (rate_limits.TICKETS_OF_ADDRESS,)

    @described(calls.LOOK_AT_PLACE)
    def get(self, request: Request, slug: str) -> Response:
        ticket = token_in(request.META, WAITING_TICKET)
        sale = waiting_room.room(slug)
        if ticket is None or not waiting_room.is_ticket_of(sale, ticket):
            raise waiting_room.NoSuchRoom("no ticket of this room")
        return _answer(waiting_room.look(sale, ticket), status=200)

    @described(calls.TAKE_TICKET)
    def post(self, request: Request, slug: str) -> Response:
        return _answer(waiting_room.enter(waiting_room.room(slug)), status=201)


def _answer(place: Place, *, status: int) -> Response:
    headers = {} if place.admitted else {"Retry-After": str(place.look_again_in)}
    return Response(place_document(place), status=status, headers=headers)
