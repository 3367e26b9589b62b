"""A place in the waiting room of a flash sale."""

from typing import Annotated

from typing_extensions import TypedDict

from apps.api.contract.formats import said
from apps.flash_sales.waiting_room import Place


class SaleName(TypedDict):
    slug: str
    name: str


class WaitingPlace(TypedDict):
    sale: SaleName
    ticket: Annotated[str, said("for X-Waiting-Ticket")]
    admitted: Annotated[bool, said("true: place the order with this ticket, for ten minutes")]
    position: Annotated[int, said("from 1; 0 when admitted")]
    estimated_wait_seconds: int


def place_document(place: Place) -> WaitingPlace:
    """A place as the waiting room and a refused checkout answer it."""
    return {
        "sale": {"slug": place.sale.slug, "name": place.sale.name},
        "ticket": place.ticket,
        "admitted": place.admitted,
        "position": place.position,
        "estimated_wait_seconds": place.estimated_wait_seconds,
    }
