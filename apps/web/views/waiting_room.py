"""The page on which visitors wait for a flash sale; without JavaScript it reloads itself.

The ticket is in a cookie of its own, so that a reload, another tab and a visit an hour later all
have the same position.
"""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET

from apps.core import rate_limits
from apps.core.client_addresses import client_address
from apps.core.error_pages import too_many
from apps.core.rate_limits import limited
from apps.flash_sales import waiting_room as rooms
from apps.flash_sales.waiting_room import NoSuchRoom, Place

TICKET_MAX = 200


def cookie_of(slug: str) -> str:
    return f"ticket-{slug}"


def tickets_of(request: HttpRequest) -> tuple[str, ...]:
    """Every ticket that the visitor holds. Their signatures are checked where they are used."""
    prefix = cookie_of("")
    found = [value for name, value in request.COOKIES.items() if name.startswith(prefix)]
    return tuple(value for value in found if len(value) <= TICKET_MAX)


@require_GET
@limited(answer=too_many)
def waiting_room(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        sale = rooms.room(slug)
    except NoSuchRoom:
        raise Http404 from None
    ticket = _own_ticket(request, slug)
    if rooms.is_ticket_of(sale, ticket):
        place = rooms.look(sale, ticket)
    else:
        rate_limits.count(rate_limits.TICKETS_OF_ADDRESS, client_address(request.META))
        place = rooms.enter(sale)
    onward = _onward(request)
    if place.admitted:
        return remember(redirect(onward), place)
    minutes = round(place.estimated_wait_seconds / 60)
    page = {"place": place, "onward": onward, "minutes": minutes}
    return remember(render(request, "web/waiting_room.html", page), place)


@require_GET
def look(request: HttpRequest, slug: str) -> HttpResponse:
    """The visitor's position, for the page's script; 404: there is nothing to wait for."""
    try:
        sale = rooms.room(slug)
    except NoSuchRoom:
        raise Http404 from None
    ticket = _own_ticket(request, slug)
    if not rooms.is_ticket_of(sale, ticket):
        raise Http404
    place = rooms.look(sale, ticket)
    answer = {
        "admitted": place.admitted,
        "position": place.position,
        "estimated_wait_seconds": place.estimated_wait_seconds,
        "look_again_in": place.look_again_in,
    }
    return remember(JsonResponse(answer), place)


def _own_ticket(request: HttpRequest, slug: str) -> str:
    return request.COOKIES.get(cookie_of(slug), "")[:TICKET_MAX]


def remember(response: HttpResponse, place: Place) -> HttpResponse:
    """Set the cookie with the visitor's ticket."""
    response.set_cookie(
        cookie_of(place.sale.slug),
        place.ticket,
        max_age=86_400,
        httponly=True,
        secure=not settings.DEVELOPMENT,
        samesite="Lax",
    )
    return response


def address_of(slug: str, *, onward: str) -> str:
    """The address of the waiting room that leads to `onward` afterwards."""
    return f"{reverse('web:waiting-room', args=[slug])}?next={onward}"


def _onward(request: HttpRequest) -> str:
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours and wanted.startswith("/") else reverse("web:checkout")
