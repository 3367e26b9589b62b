"""The waiting room of a flash sale: take a ticket, look where one stands, go on to the checkout.

The ticket goes along with `POST /checkouts/` as X-Waiting-Ticket. Looking is also how one says that
one is still there, every `Retry-After` seconds.
"""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import documents
from apps.api.endpoint import WAITING_TICKET, Endpoint, token_in
from apps.api.refusals import place_document
from apps.sales import waiting_room
from apps.sales.waiting_room import Place
from storefront import rate_limits


class WaitingRoom(Endpoint):
    """One's place in the queue of one sale."""

    # Nobody's place depends on who she is.
    authentication_classes = []
    limits = (rate_limits.TICKETS_OF_ADDRESS,)

    @extend_schema(**documents.LOOK_AT_PLACE)
    def get(self, request: Request, slug: str) -> Response:
        ticket = token_in(request.META, WAITING_TICKET)
        sale = waiting_room.room(slug)
        if ticket is None or not waiting_room.is_ticket_of(sale, ticket):
            raise waiting_room.NoSuchRoom("no ticket of this room")
        return _answer(waiting_room.look(sale, ticket), status=200)

    @extend_schema(**documents.TAKE_TICKET)
    def post(self, request: Request, slug: str) -> Response:
        return _answer(waiting_room.enter(waiting_room.room(slug)), status=201)


def _answer(place: Place, *, status: int) -> Response:
    headers = {} if place.admitted else {"Retry-After": str(place.look_again_in)}
    return Response(
        place_document(place), status=status, headers=headers | {"Cache-Control": "no-store"}
    )
