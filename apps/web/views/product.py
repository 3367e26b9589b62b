"""A product's page: showing it, and adding a variant to the cart."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.cart import carts
from apps.cart.carts import CartError, CartsUnavailable, InsufficientStock
from apps.catalog import browse
from apps.catalog.browse import ProductDetail
from apps.core.error_pages import too_many
from apps.core.rate_limits import WRITES, limited
from apps.core.same_origin import same_origin_is_enough
from apps.web import visitor_session
from apps.web.page_cache import kept_page, render_for_nobody
from apps.web.product_page import (
    VariantShown,
    context_of,
    made_of,
    related,
    tags_of,
    variant_with,
    variants_of,
)
from apps.web.quantities import NotAQuantity, read_quantity


@same_origin_is_enough
@require_http_methods(["GET", "HEAD", "POST"])
@limited(*WRITES, answer=too_many)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the page; by POST, add the chosen variant to the cart."""
    detail = browse.product_detail(slug)
    if detail is None:
        raise Http404
    variants = variants_of(detail)
    if request.method == "POST":
        return _add_to_cart(request, detail, variants)
    asked = request.GET.get("variant", "")
    return kept_page(
        request,
        *made_of(
            detail, (variant.stock_shown for variant in variants), related(detail), asked[:255]
        ),
        render=lambda: render_for_nobody(
            "web/product.html", context_of(detail, variants, asked=asked)
        ),
        tags=tags_of(detail),
    )


def _add_to_cart(
    request: HttpRequest, detail: ProductDetail, variants: list[VariantShown]
) -> HttpResponse:
    values = [request.POST.get(f"option-{position}", "") for position in range(len(detail.options))]
    typed = request.POST.get("quantity", "1")
    chosen = variant_with(detail, variants, values)
    error, status = "", 400
    try:
        if chosen is None:
            error = "We do not make that combination. Please choose another."
        else:
            _add(request, chosen, read_quantity(typed, at_least=1))
            text = f"{detail.name}{', ' + chosen.name if chosen.name else ''}"
            messages.success(request, f"{text}: in your cart.")
            return redirect("web:cart")
    except NotAQuantity as refused:
        error = str(refused)
    except InsufficientStock as refused:
        error, status = _shortage(refused), 409
    except CartsUnavailable as refused:
        error, status = str(refused), 503
    except CartError as refused:
        error, status = str(refused), 409
    context = context_of(detail, variants, asked=request.GET.get("variant", ""), values=values) | {
        "error": error,
        "quantity": typed[:10],
    }
    response = render(request, "web/product.html", context, status=status)
    if status == 503:
        response["Retry-After"] = "2"
    return response


def _add(request: HttpRequest, variant: VariantShown, quantity: int) -> None:
    """Raises CartError, LimitReached."""
    cart = visitor_session.cart_for_writing(request)
    visitor_session.count_write(request, cart)
    visitor_session.remember_cart(request, carts.add(cart, variant.sku, quantity))


def _shortage(refused: InsufficientStock) -> str:
    if refused.available < 1:
        return "This one is sold out."
    return f"Only {refused.available} left, counting what is in your cart already."
