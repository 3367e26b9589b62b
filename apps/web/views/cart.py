"""The cart's page: quantities, removal, promo codes, and the problem of each line."""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.cart import carts
from apps.cart.carts import (
    CartError,
    CartNotFound,
    CartsUnavailable,
    CartView,
    InsufficientStock,
    QuantityLimited,
    TooManyPromos,
)
from apps.core import rate_limits
from apps.core.error_pages import error_page, too_many
from apps.core.rate_limits import WRITES, by_address, limited
from apps.orders.intake import promo_choice
from apps.orders.intake.customer_quote import account_email, quote_for
from apps.orders.intake.promo_choice import Choice
from apps.orders.intake.quote import Quote
from apps.promos.codes import normalise
from apps.web import product_cards, visitor_session
from apps.web.quantities import NotAQuantity, read_quantity


@dataclass(frozen=True, slots=True)
class LineShown:
    """A line as the page shows it; amounts are None for what is no longer sold."""

    sku: str
    name: str
    slug: str
    image: str
    quantity: int
    unit_amount: int | None
    line_amount: int | None
    discount_amount: int
    problem: str
    typed: str = ""
    back_order: str = ""  # what of it ships later, in words


@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    try:
        kept = visitor_session.cart_of(request)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    visitor_session.remember_count(request, kept)
    return _page(request, kept)


@require_POST
@limited(*WRITES, answer=too_many)
def line(request: HttpRequest, sku: str) -> HttpResponse:
    """Set a line's quantity; 0 removes it."""
    typed = request.POST.get("quantity", "")
    try:
        kept = visitor_session.cart_of(request)
        if kept is None:
            return redirect("web:cart")
        visitor_session.count_write(request, kept)
        try:
            quantity = read_quantity(typed, at_least=0)
            visitor_session.remember_cart(request, carts.set_line(kept, sku, quantity))
        except NotAQuantity as refused:
            return _page(request, kept, at=sku, typed=typed, problem=str(refused), status=400)
        except InsufficientStock as refused:
            text = _left(refused.available)
            return _page(request, kept, at=sku, typed=typed, problem=text, status=409)
        except QuantityLimited as refused:
            return _page(request, kept, at=sku, typed=typed, problem=str(refused), status=409)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    except CartNotFound:
        return redirect("web:cart")  # ordered or expired in another tab: show the present cart
    except CartError as refused:
        messages.error(request, str(refused))
    return redirect(f"{reverse('web:cart')}{_place_of(kept, sku)}")


def _place_of(kept: CartView, sku: str) -> str:
    """The fragment of the line with `sku`: a browser without scripts stays where it was."""
    skus = [line.sku for line in kept.lines]
    return f"#line-{skus.index(sku) + 1}" if sku in skus else ""


@require_POST
@limited(*WRITES, (rate_limits.PROMO_TRIES_OF_ADDRESS, by_address), answer=too_many)
def promo(request: HttpRequest) -> HttpResponse:
    """Add a code to the cart, or remove one (`remove`)."""
    try:
        kept = visitor_session.cart_of(request)
        if kept is None:
            return redirect("web:cart")
        visitor_session.count_write(request, kept)
        if removed := request.POST.get("remove"):
            rest = [code for code in kept.promo_codes if normalise(code) != normalise(removed)]
            carts.set_promos(kept, rest)
            return redirect("web:cart")
        code = request.POST.get("code", "").strip()
        choice, problem = _try_code(request, kept, code)
        if choice is None:
            return _page(request, kept, promo_typed=code[:60], promo_error=problem, status=400)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    except CartNotFound:
        return redirect("web:cart")
    if choice.note is None:
        messages.success(request, "The code counts. It stands with your totals now.")
    else:
        messages.info(request, choice.note.message)
    return redirect("web:cart")


def _try_code(request: HttpRequest, kept: CartView, code: str) -> tuple[Choice | None, str]:
    """Put `code` into the cart as far as it goes with the others (promo_choice.py), or say why not.

    Returns what became of the codes, or None and the reason.
    """
    if not normalise(code):
        return None, "Type a code first."
    choice = promo_choice.choose(
        kept.promo_codes, code, lambda codes: quote_cart(request, kept, promo_codes=codes)
    )
    if choice.refused is not None:
        return None, choice.refused.message
    try:
        carts.set_promos(kept, choice.codes)
    except TooManyPromos as error:
        return None, str(error)
    return choice, ""


def quote_cart(
    request: HttpRequest, kept: CartView, *, promo_codes: tuple[str, ...] | None = None
) -> Quote:
    """The cart's price before its destination is known."""
    return quote_for(
        [(one.sku, one.quantity) for one in kept.lines],
        email=account_email(request.user),
        user_id=request.user.pk,
        promo_codes=kept.promo_codes if promo_codes is None else promo_codes,
    )


def _left(available: int) -> str:
    return f"Only {available} left." if available > 0 else "Sold out. Please remove it."


def _page(
    request: HttpRequest,
    kept: CartView | None,
    *,
    at: str = "",
    typed: str = "",
    problem: str = "",
    promo_typed: str = "",
    promo_error: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"lines": []}
    if kept is not None and kept.lines:
        quote = quote_cart(request, kept)
        lines = [
            replace(shown, typed=typed[:10], problem=problem) if shown.sku == at else shown
            for shown in _lines(kept, quote)
        ]
        context = {
            "lines": lines,
            "quote": quote,
            "blocked": any(found.sku for found in quote.problems),
            "general_problems": [
                found for found in quote.problems if not found.sku and not found.promo_code
            ],
            "promo_codes": kept.promo_codes,
            "codes_that_count": [promo.code for promo in quote.promos],
            "promo_typed": promo_typed,
            "promo_error": promo_error
            or " ".join(found.message for found in quote.problems if found.promo_code),
        }
    return render(request, "web/cart.html", context, status=status)


def _lines(kept: CartView, quote: Quote) -> list[LineShown]:
    """In the cart's order; what is no longer sold stays listed, so that it can be removed."""
    priced = {line.sku: line for line in quote.lines}
    wrong = {found.sku: found for found in quote.problems if found.sku}
    shown = []
    for one in kept.lines:
        line = priced.get(one.sku)
        found = wrong.get(one.sku)
        text = ""
        if found is not None:
            short = line is not None and found.code == "insufficient_stock"
            text = _left(found.available or 0) if short else found.message
        shown.append(
            LineShown(
                sku=one.sku,
                name=line.name if line else one.sku,
                slug=line.slug if line else "",
                image=(line.image if line else "") or product_cards.placeholder(),
                quantity=one.quantity,
                unit_amount=line.unit_amount if line else None,
                line_amount=line.line_amount if line else None,
                discount_amount=line.discount_amount if line else 0,
                problem=text,
                back_order=product_cards.back_order_words(line.back_ordered, one.quantity)
                if line
                else "",
            )
        )
    return shown
