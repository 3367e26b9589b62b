"""What stands in an order's way, said on the checkout's page, and the buttons that mend it there.

A button sends the form with `refresh`, so that what was typed stays:

    take-left       go on with what is left of each line
    without CODE    go on without the promo code
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.http import HttpRequest

from apps.cart import carts
from apps.cart.carts import CartNotFound, CartView, TooManyPromos
from apps.orders.intake.quote import Quote, QuoteProblem
from apps.promos.codes import normalise
from apps.web import visitor_session
from apps.web.views.checkout.form_cart import with_what_is_left

TAKE_LEFT = "take-left"
WITHOUT = "without "


@dataclass(frozen=True, slots=True)
class Repair:
    """A button of the checkout's form: the value of `refresh`, and its words."""

    value: str
    label: str


def repairs_of(cart: CartView, quote: Quote) -> list[Repair]:
    """The buttons for what is wrong with `quote`; none for what only the cart's page can mend."""
    found = []
    short = {problem.sku: problem for problem in quote.problems if problem.sku}
    if short and any(_left(short.get(line.sku), line.quantity) for line in cart.lines):
        words = "Go on with what is left" if any(p.available for p in short.values()) else ""
        found.append(Repair(TAKE_LEFT, words or "Go on without it"))
    codes = dict.fromkeys(problem.promo_code for problem in quote.problems if problem.promo_code)
    found += [Repair(f"{WITHOUT}{code}", f"Go on without {code}") for code in codes]
    return found


def repaired(request: HttpRequest, cart: CartView, quote: Quote, wanted: str) -> CartView:
    """`cart` after the button `wanted`; unchanged by any other value. Raises as carts.set_line."""
    changed = cart
    if wanted == TAKE_LEFT:
        changed = _with_what_is_left(cart, quote.problems)
    elif wanted.startswith(WITHOUT):
        code = normalise(wanted.removeprefix(WITHOUT))
        rest = tuple(kept for kept in cart.promo_codes if normalise(kept) != code)
        with suppress(TooManyPromos, CartNotFound):
            changed = carts.set_promos(cart, rest)
    if changed is not cart:
        visitor_session.count_write(request, cart)
        visitor_session.remember_cart(request, changed)
    return changed


def _left(problem: QuoteProblem | None, wanted: int) -> int:
    return wanted if problem is None else problem.available or 0


def _with_what_is_left(cart: CartView, problems: Sequence[QuoteProblem]) -> CartView:
    for problem in problems:
        if problem.sku:
            cart = with_what_is_left(cart, problem.sku, problem.available or 0)
    return cart
