"""What was typed into the checkout's form, kept in the session until the order is placed.

So it is still there after a look at the cart, a sign-in in another tab, a declined card, or an hour
in which the shop could not be reached. The way of paying is never kept.
"""

from django.http import HttpRequest

from apps.customers import addresses
from apps.orders.models import Order

KEPT = ("email", *addresses.FIELDS, "shipping_method")
LENGTH_MAX = 254  # characters of a field
IN_SESSION = "checkout_form"


def keep(request: HttpRequest) -> None:
    """Keep what is typed in the posted form."""
    _store(request, {name: request.POST.get(name, "") for name in KEPT})


def keep_of_order(request: HttpRequest, order: Order) -> None:
    """Keep what `order` was placed with, so that it can be placed again."""
    typed = {name: str(order.shipping_address.get(name, "")) for name in addresses.FIELDS}
    method = {"shipping_method": order.shipping_method}
    _store(request, typed | {"email": order.email} | method)


def kept(request: HttpRequest) -> dict[str, str]:
    """What was typed before, by field; empty when nothing was."""
    found: dict[str, str] = request.session.get(IN_SESSION, {})
    return dict(found)


def has_session(request: HttpRequest) -> bool:
    """Whether the visitor has a session already; a cookie alone is none."""
    kept(request)  # reads the session; only then a key that is in no row is dropped
    return not request.session.is_empty()


def forget(request: HttpRequest) -> None:
    request.session.pop(IN_SESSION, None)


def _store(request: HttpRequest, typed: dict[str, str]) -> None:
    clean = {name: text.replace("\x00", "")[:LENGTH_MAX] for name, text in typed.items()}
    if clean != request.session.get(IN_SESSION):
        request.session[IN_SESSION] = clean
