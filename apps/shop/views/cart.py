"""The cart: quantities, removal, promo codes, and what is wrong with each line."""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.cart import carts
from apps.cart.carts import (
    CartError,
    CartNotFound,
    CartsUnavailable,
    CartView,
    InsufficientStock,
    TooManyPromos,
)
from apps.orders.quote import Quote, quote_lines
from apps.promos.codes import normalise
from apps.shop import cards, visitors
from apps.shop.quantities import NotAQuantity, read_quantity
from apps.shop.views.errors import error_page, too_many
from storefront import rate_limits
from storefront.rate_limits import WRITES, by_address, limited


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


@never_cache
@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    try:
        kept = visitors.cart_of(request)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    visitors.remember_count(request, kept)
    return _page(request, kept)


@require_POST
@limited(*WRITES, answer=too_many)
def line(request: HttpRequest, sku: str) -> HttpResponse:
    """Set a line's quantity; 0 removes it."""
    typed = request.POST.get("quantity", "")
    try:
        kept = visitors.cart_of(request)
        if kept is None:
            return redirect("shop:cart")
        rate_limits.count(rate_limits.WRITES_OF_CART, str(kept.id))
        try:
            quantity = read_quantity(typed, at_least=0)
            visitors.remember_cart(request, carts.set_line(kept, sku, quantity))
        except NotAQuantity as refused:
            return _page(request, kept, at=sku, typed=typed, problem=str(refused), status=400)
        except InsufficientStock as refused:
            words = _left(refused.available)
            return _page(request, kept, at=sku, typed=typed, problem=words, status=409)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    except CartNotFound:
        return redirect("shop:cart")  # ordered or expired in another tab: show what there is now
    except CartError as refused:
        messages.error(request, str(refused))
    return redirect("shop:cart")


@require_POST
@limited(*WRITES, (rate_limits.PROMO_TRIES_OF_ADDRESS, by_address), answer=too_many)
def promo(request: HttpRequest) -> HttpResponse:
    """Put a code to the cart, or take one off (`remove`)."""
    try:
        kept = visitors.cart_of(request)
        if kept is None:
            return redirect("shop:cart")
        rate_limits.count(rate_limits.WRITES_OF_CART, str(kept.id))
        if removed := request.POST.get("remove"):
            rest = [code for code in kept.promo_codes if normalise(code) != normalise(removed)]
            carts.set_promos(kept, rest)
            return redirect("shop:cart")
        code = request.POST.get("code", "").strip()
        problem = _try_code(request, kept, code)
        if problem:
            return _page(request, kept, promo_typed=code[:60], promo_error=problem, status=400)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    except CartNotFound:
        return redirect("shop:cart")
    messages.success(request, "The code counts. It stands with your totals now.")
    return redirect("shop:cart")


def _try_code(request: HttpRequest, kept: CartView, code: str) -> str:
    """Add `code`, beside the others or, where they cannot combine, instead; else why not."""
    if not normalise(code):
        return "Type a code first."
    reason = ""
    for others in (kept.promo_codes, ()):
        quote = quote_cart(request, kept, promo_codes=(*others, code))
        refused = [problem.message for problem in quote.problems if problem.promo_code]
        if not refused:
            try:
                carts.set_promos(kept, tuple(promo.code for promo in quote.promos))
            except TooManyPromos as error:
                return str(error)
            return ""
        reason = refused[-1]
    return reason


def quote_cart(
    request: HttpRequest, kept: CartView, *, promo_codes: tuple[str, ...] | None = None
) -> Quote:
    """The cart's price before anybody knows where it goes."""
    return quote_lines(
        [(one.sku, one.quantity) for one in kept.lines],
        promo_codes=kept.promo_codes if promo_codes is None else promo_codes,
        customer_key=request.user.email if request.user.is_authenticated else None,
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
            "promo_typed": promo_typed,
            "promo_error": promo_error
            or next((found.message for found in quote.problems if found.promo_code), ""),
        }
    return render(request, "shop/cart.html", context, status=status)


def _lines(kept: CartView, quote: Quote) -> list[LineShown]:
    """In the cart's order; what is no longer sold stays listed, so that it can be removed."""
    priced = {line.sku: line for line in quote.lines}
    wrong = {found.sku: found for found in quote.problems if found.sku}
    shown = []
    for one in kept.lines:
        line = priced.get(one.sku)
        found = wrong.get(one.sku)
        words = ""
        if found is not None:
            words = found.message if line is None else _left(found.available or 0)
        shown.append(
            LineShown(
                sku=one.sku,
                name=line.name if line else one.sku,
                slug=line.slug if line else "",
                image=(line.image if line else "") or cards.placeholder(),
                quantity=one.quantity,
                unit_amount=line.unit_amount if line else None,
                line_amount=line.line_amount if line else None,
                discount_amount=line.discount_amount if line else 0,
                problem=words,
            )
        )
    return shown
