"""A product's page: what there is of it, what is left, and into the cart with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import strip_tags
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods

from apps.cart import carts
from apps.cart.carts import CartError, CartsUnavailable, InsufficientStock
from apps.catalog import browse
from apps.catalog.browse import ProductDetail
from apps.inventory import stock
from apps.shop import cards, visitors
from apps.shop.mornings import hour_of
from apps.shop.page_cache import kept_page
from apps.shop.quantities import NotAQuantity, read_quantity
from apps.shop.views.errors import too_many
from storefront import money, rate_limits
from storefront.rate_limits import WRITES, limited

NEIGHBOURS = 4
RELATED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class VariantShown:
    """One SKU of a product's page; amounts in minor units."""

    sku: str
    name: str
    options: dict[str, str]
    price: int
    was: int | None
    available: int
    image: str

    @property
    def stock_words(self) -> str:
        return cards.stock_words(self.available)

    @property
    def stock_class(self) -> str:
        return cards.stock_class(self.available)


@require_http_methods(["GET", "HEAD", "POST"])
@limited(*WRITES, answer=too_many)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """The page, and by POST: put the chosen variant into the cart."""
    detail = browse.product_detail(slug)
    if detail is None:
        raise Http404
    variants = _variants(detail)
    if request.method != "POST":
        asked = request.GET.get("variant", "")[:120]
        return kept_page(
            request,
            *made_of(detail, (variant.available for variant in variants), related(detail), asked),
            render=lambda: render(
                request, "shop/product.html", _product_context(request, detail, variants)
            ),
        )

    values = [request.POST.get(f"option-{position}", "") for position in range(len(detail.options))]
    typed = request.POST.get("quantity", "1")
    chosen = _chosen(detail, variants, values)
    error, status = "", 400
    try:
        if chosen is None:
            error = "We do not make that combination. Please choose another."
        else:
            quantity = read_quantity(typed, at_least=1)
            cart = visitors.cart_for_writing(request)
            rate_limits.count(rate_limits.WRITES_OF_CART, str(cart.id))
            cart = carts.add(cart, chosen.sku, quantity)
            visitors.remember_cart(request, cart)
            words = f"{detail.name}{', ' + chosen.name if chosen.name else ''}"
            messages.success(request, f"{words}: in your cart.")
            return redirect("shop:cart")
    except NotAQuantity as refused:
        error = str(refused)
    except InsufficientStock as refused:
        error, status = _shortage(refused), 409
    except CartsUnavailable as refused:
        error, status = str(refused), 503
    except CartError as refused:
        error, status = str(refused), 409
    context = _product_context(request, detail, variants, values=values) | {
        "error": error,
        "quantity": typed[:10],
    }
    response = render(request, "shop/product.html", context, status=status)
    if status == 503:
        response["Retry-After"] = "2"
    return response


def made_of(
    detail: ProductDetail, left: Iterable[int], neighbours: list[cards.Card], asked: str = ""
) -> tuple[object, ...]:
    """All that tells one page of this product from another, for whoever has nothing in the cart.

    `left` is what is for sale of each variant, `asked` the SKU that the address names.
    """
    return (
        detail,
        [min(units, cards.FEW + 1) for units in left],
        asked if asked in detail.skus else "",
        neighbours,
    )


def _shortage(refused: InsufficientStock) -> str:
    if refused.available < 1:
        return "This one is sold out."
    return f"Only {refused.available} left, counting what is in your cart already."


def _variants(detail: ProductDetail) -> list[VariantShown]:
    return [
        VariantShown(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            price=variant.price_amount,
            was=cards.reduced_from(variant.compare_at_amount, variant.price_amount),
            available=units,
            image=variant.image,
        )
        for variant, units in zip(detail.variants, units_left(detail), strict=True)
    ]


def units_left(detail: ProductDetail) -> list[int]:
    """What is for sale of each variant, in their order; asked of PostgreSQL, never of a cache."""
    available = stock.availability(detail.skus)
    return [max(0, available.get(sku, 0)) for sku in detail.skus]


def _chosen(
    detail: ProductDetail, variants: list[VariantShown], values: list[str]
) -> VariantShown | None:
    names = [option.name for option in detail.options]
    for variant in variants:
        if all(variant.options.get(n) == v for n, v in zip(names, values, strict=True)):
            return variant
    return None


def _product_context(
    request: HttpRequest,
    detail: ProductDetail,
    variants: list[VariantShown],
    *,
    values: list[str] | None = None,
) -> dict[str, Any]:
    sellable = [variant for variant in variants if variant.available > 0]
    asked = request.GET.get("variant", "")
    chosen = (
        (_chosen(detail, variants, values) if values else None)
        or next((variant for variant in variants if variant.sku == asked), None)
        or next(iter(sellable or variants), None)
    )
    pictures = [{"url": picture.path, "alt": picture.alt} for picture in detail.images] or [
        {"url": cards.placeholder(), "alt": f"{detail.name}: picture to follow"}
    ]
    place = {picture["url"]: index for index, picture in enumerate(pictures)}
    names = [option.name for option in detail.options]
    return {
        "product": {
            "slug": detail.slug,
            "name": detail.name,
            "vendor": detail.vendor,
            "description": detail.description,
            "summary": Truncator(strip_tags(detail.description)).chars(150),
            "category": detail.category,
            "pictures": pictures,
            "variants": variants,
            "sellable": bool(sellable),
        },
        "chosen": chosen
        or VariantShown("", "", {}, detail.price_amount, detail.compare_at_amount, 0, ""),
        "options": [
            {
                "name": option.name,
                "position": position,
                "values": [
                    _option_value(position, value, names, variants, chosen)
                    for value in option.values
                ],
            }
            for position, option in enumerate(detail.options)
            # Shopify calls the only choice of a product that has none "Title".
            if not (len(option.values) == 1 and option.values[0] == "Default Title")
        ],
        "only": [
            (position, option.values[0])
            for position, option in enumerate(detail.options)
            if len(option.values) == 1 and option.values[0] == "Default Title"
        ],
        "quantity": "1",
        "error": "",
        "hour": hour_of(detail.trail[0].slug) if detail.trail else "",
        "current_shelf": detail.trail[0].slug if detail.trail else "",
        "related": related(detail),
        "variants_data": [
            {
                "values": [variant.options.get(name, "") for name in names],
                "price": money.for_people(variant.price, detail.currency),
                "was": money.for_people(variant.was, detail.currency) if variant.was else "",
                "available": min(variant.available, cards.FEW + 1),
                "words": variant.stock_words,
                "state": variant.stock_class,
                "note": cards.stock_note(variant.available),
                "picture": place.get(variant.image),
            }
            for variant in variants
        ],
    }


def related(detail: ProductDetail) -> list[cards.Card]:
    """Neighbours on the shelf. Up to a minute old: during a sale everybody asks for the same."""
    key = f"shop:related:{detail.category.slug}"
    neighbours = cache.get(key)
    if neighbours is None:
        found = browse.products(category=detail.category.slug, in_stock=True)[: NEIGHBOURS + 1]
        neighbours = cards.cards(found)
        cache.set(key, neighbours, RELATED_SECONDS)
    return [card for card in neighbours if card.slug != detail.slug][:NEIGHBOURS]


def _option_value(
    position: int,
    value: str,
    names: list[str],
    variants: list[VariantShown],
    chosen: VariantShown | None,
) -> dict[str, Any]:
    """What is left of this value beside the other values chosen now."""
    wanted = dict(chosen.options) if chosen else {}
    wanted[names[position]] = value
    there = next((variant for variant in variants if variant.options == wanted), None)
    available = there.available if there else 0
    return {
        "label": value,
        "chosen": chosen is not None and chosen.options.get(names[position]) == value,
        "gone": available < 1,
        "note": cards.stock_note(available) if there else "not made",
    }
