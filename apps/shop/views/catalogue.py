"""Looking around: the front page, shelves, search, and a product's page."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import BadRequest
from django.core.paginator import InvalidPage, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.text import Truncator
from django.views.decorators.http import require_GET, require_http_methods

from apps.cart import carts
from apps.cart.carts import CartError, CartsUnavailable, InsufficientStock
from apps.catalog import browse
from apps.catalog.browse import CategoryNode, ProductDetail
from apps.inventory import stock
from apps.shop import cards, visitors
from apps.shop.mornings import hour_of
from apps.shop.page_cache import kept_page
from apps.shop.quantities import NotAQuantity, read_quantity
from apps.shop.views.errors import too_many
from storefront import money, rate_limits
from storefront.rate_limits import WRITES, limited

PER_PAGE = 24
FEATURED = 8
LAST_FEW = 4
RELATED_SECONDS = 60
SORTS = (
    ("", "our own order"),
    ("price", "price, low first"),
    ("-price", "price, high first"),
    ("newest", "newest first"),
    ("name", "name"),
)
PRICE = re.compile(r"\d{1,7}(?:\.\d{1,2})?", re.ASCII)


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    found = browse.products(in_stock=True)
    return render(
        request,
        "shop/home.html",
        {
            "featured": cards.cards(found.filter(featured=True)[:FEATURED]),
            "last_few": cards.cards(
                found.filter(units_left__lte=cards.FEW).order_by("units_left", "name")[:LAST_FEW]
            ),
        },
    )


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    query = " ".join(request.GET.get("q", "").replace("\x00", " ").split())[:100]
    return _shelf(
        request,
        heading=f"“{query}”" if query else "Everything",
        lead="" if query else "All of it, on one long shelf.",
        query=query,
    )


@require_GET
def category(request: HttpRequest, slug: str) -> HttpResponse:
    way = _way_to(slug, browse.category_tree())
    if not way:
        raise Http404
    return _shelf(
        request,
        heading=way[-1].name,
        lead=way[-1].description,
        shelf=way[-1],
        trail=way[:-1],
    )


def _way_to(slug: str, nodes: list[CategoryNode] | tuple[CategoryNode, ...]) -> list[CategoryNode]:
    """From the root to the shelf with this slug; empty when there is none."""
    for node in nodes:
        if node.slug == slug:
            return [node]
        if below := _way_to(slug, node.children):
            return [node, *below]
    return []


@dataclass(frozen=True, slots=True)
class Filters:
    """What a visitor narrowed a list by, as typed and as understood (minor units)."""

    min_typed: str
    max_typed: str
    min_price: int | None
    max_price: int | None
    in_stock: bool
    category: str
    sort: str
    error: str

    @property
    def any(self) -> bool:
        return bool(self.min_typed or self.max_typed or self.in_stock or self.category)

    def parameters(self) -> dict[str, str]:
        """As they stand in the address, empty ones left out."""
        found = {
            "category": self.category,
            "min_price": self.min_typed,
            "max_price": self.max_typed,
            "in_stock": "1" if self.in_stock else "",
            "sort": self.sort,
        }
        return {name: value for name, value in found.items() if value}


def _filters(request: HttpRequest) -> Filters:
    """Raises BadRequest for an ordering the shop does not have."""
    sort = request.GET.get("sort", "")
    if sort not in {value for value, _ in SORTS}:
        raise BadRequest("unknown ordering")
    typed = [request.GET.get(name, "").strip()[:20] for name in ("min_price", "max_price")]
    prices: list[int | None] = []
    error = ""
    for text in typed:
        amount = text.removeprefix("$").replace(",", "")
        if amount and not PRICE.fullmatch(amount):
            error = "Write prices as plain numbers, such as 20 or 19.50."
            amount = ""
        prices.append(money.to_minor(Decimal(amount), "USD") if amount else None)
    low, high = prices
    if low is not None and high is not None and low > high:
        error = "The lower price is above the higher one."
    return Filters(
        min_typed=typed[0],
        max_typed=typed[1],
        min_price=low,
        max_price=high,
        in_stock=request.GET.get("in_stock", "") not in ("", "0", "false"),
        category=request.GET.get("category", "").replace("\x00", "")[:140],
        sort=sort,
        error=error,
    )


def _shelf(
    request: HttpRequest,
    *,
    heading: str,
    lead: str,
    query: str = "",
    shelf: CategoryNode | None = None,
    trail: list[CategoryNode] | None = None,
) -> HttpResponse:
    filters = _filters(request)
    action = reverse("shop:category", args=[shelf.slug]) if shelf else reverse("shop:search")
    found = browse.products(
        search=query or None,
        category=filters.category or (shelf.slug if shelf else None),
        min_price=filters.min_price,
        max_price=filters.max_price,
        in_stock=True if filters.in_stock else None,
        ordering=filters.sort or None,
    )
    # The shelves to choose from are those of the list without the choice of one.
    wide = browse.products(
        search=query or None,
        category=shelf.slug if shelf else None,
        min_price=filters.min_price,
        max_price=filters.max_price,
        in_stock=True if filters.in_stock else None,
    )
    facets = browse.facets(wide)
    page = _page(request, found)
    kept = ({"q": query} if query else {}) | filters.parameters()

    def url(**changes: str) -> str:
        parameters = {name: value for name, value in (kept | changes).items() if value}
        return f"{action}?{urlencode(parameters)}" if parameters else action

    context = {
        "heading": heading,
        "lead": lead,
        "hour": hour_of(shelf.slug) if shelf else "",
        "trail": trail if shelf else None,
        "current_shelf": (trail[0].slug if trail else shelf.slug) if shelf else "",
        "action": action,
        "query": query,
        "cards": cards.cards(page.object_list),
        "total": page.paginator.count,
        "page": page.number,
        "pages": page.paginator.num_pages,
        "previous_url": url(page=str(page.number - 1)) if page.has_previous() else "",
        "next_url": url(page=str(page.number + 1)) if page.has_next() else "",
        "page_links": [
            {"number": number, "url": url(page=str(number)), "current": number == page.number}
            if isinstance(number, int)
            else {"url": ""}
            for number in page.paginator.get_elided_page_range(
                page.number, on_each_side=1, on_ends=1
            )
        ],
        "sort": filters.sort,
        "sorts": SORTS,
        "kept": [(name, value) for name, value in kept.items() if name != "sort"],
        "min_price": filters.min_typed,
        "max_price": filters.max_typed,
        "in_stock": filters.in_stock,
        "price_error": filters.error,
        "price_range": (_whole(facets.min_price), _whole(facets.max_price)),
        "filtered": filters.any,
        "chosen_category": filters.category,
        "clear_url": f"{action}?{urlencode({'q': query})}" if query else action,
        "categories": _category_links(facets.categories, filters, shelf, url),
    }
    return render(request, "shop/shelf.html", context, status=400 if filters.error else 200)


def _category_links(
    found: tuple[browse.CategoryFacet, ...], filters: Filters, shelf: CategoryNode | None, url: Any
) -> list[dict[str, Any]]:
    """On a shelf, the shelves below it; elsewhere all roots. One alone is no choice."""
    depth = min((facet.depth for facet in found), default=1)
    if shelf is not None:
        below = {child.slug for child in shelf.children}
        shown = [facet for facet in found if facet.slug in below]
    else:
        shown = [facet for facet in found if facet.depth == depth or facet.slug == filters.category]
    if len(shown) < 2 and not filters.category:
        return []
    links = [
        {
            "name": facet.name,
            "count": facet.count,
            "url": url(category=facet.slug),
            "current": facet.slug == filters.category,
        }
        for facet in shown
    ]
    if filters.category:
        links.insert(0, {"name": "All shelves", "count": "", "url": url(category="")})
    return links


def _page(request: HttpRequest, found: Any) -> Any:
    text = request.GET.get("page", "1")
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise BadRequest("a page is a number")
    try:
        return Paginator(found, PER_PAGE).page(int(text))
    except InvalidPage:
        raise Http404 from None


def _whole(minor: int | None) -> str:
    return "" if minor is None else str(minor // 100)


# --- One product ----------------------------------------------------------------------------------


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
            detail,
            [min(variant.available, cards.FEW + 1) for variant in variants],
            asked if asked in detail.skus else "",
            _related(detail),
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


def _shortage(refused: InsufficientStock) -> str:
    if refused.available < 1:
        return "This one is sold out."
    return f"Only {refused.available} left, counting what is in your cart already."


def _variants(detail: ProductDetail) -> list[VariantShown]:
    available = stock.availability(detail.skus)
    return [
        VariantShown(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            price=variant.price_amount,
            was=cards.reduced_from(variant.compare_at_amount, variant.price_amount),
            available=max(0, available.get(variant.sku, 0)),
            image=variant.image,
        )
        for variant in detail.variants
    ]


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
        "related": _related(detail),
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


def _related(detail: ProductDetail) -> list[cards.Card]:
    """Neighbours on the shelf. Up to a minute old: during a sale everybody asks for the same."""
    key = f"shop:related:{detail.category.slug}"
    neighbours = cache.get(key)
    if neighbours is None:
        found = browse.products(category=detail.category.slug, in_stock=True)[: LAST_FEW + 1]
        neighbours = cards.cards(found)
        cache.set(key, neighbours, RELATED_SECONDS)
    return [card for card in neighbours if card.slug != detail.slug][:LAST_FEW]


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
