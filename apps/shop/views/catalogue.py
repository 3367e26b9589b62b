"""Looking around: the front page, shelves and search."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.catalog import browse
from apps.catalog.browse import CategoryNode, Wishes
from apps.catalog.facets import CategoryFacet
from apps.catalog.facets import facets as facets_of
from apps.catalog.models import Product
from apps.shop import cards
from apps.shop.mornings import hour_of
from apps.shop.page_cache import kept_page
from storefront import money

PER_PAGE = 24
FEATURED = 8
LAST_FEW = 4
SORTS = (
    ("", "our own order"),
    ("price", "price, low first"),
    ("-price", "price, high first"),
    ("newest", "newest first"),
    ("name", "name"),
)
PRICE = re.compile(r"\d{1,7}(?:\.\d{1,2})?", re.ASCII)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    featured = cards.cards(browse.products(in_stock=True).filter(featured=True)[:FEATURED])
    last_few = cards.cards(browse.last_few(units=cards.FEW, count=LAST_FEW))
    shown = {"featured": featured, "last_few": last_few}
    return kept_page(
        request, "home", shown, render=lambda: render(request, "shop/home.html", shown)
    )


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = " ".join(request.GET.get("q", "").replace("\x00", " ").split())[:100]
    return _shelf(
        request,
        heading=f"“{query}”" if query else "Everything",
        lead="" if query else "All of it, on one long shelf.",
        query=query,
    )


@require_safe
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
    stands_on = shelf.slug if shelf else None
    wishes: Wishes = {
        "search": query or None,
        "min_price": filters.min_price,
        "max_price": filters.max_price,
        "in_stock": True if filters.in_stock else None,
    }
    found = browse.products(
        **wishes, category=filters.category or stands_on, ordering=filters.sort or None
    )
    # The shelves to choose from are those of the list without the choice of one.
    facets = facets_of(**wishes, category=stands_on)
    counted = facets.on_shelf(filters.category) if filters.category else facets.total
    page = _page(request, found, counted)
    pages = page.all.num_pages
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
        "cards": cards.cards(page.products),
        "total": page.total,
        "page": page.number,
        "pages": pages,
        "previous_url": url(page=str(page.number - 1)) if page.number > 1 else "",
        "next_url": url(page=str(page.number + 1)) if page.number < pages else "",
        "page_links": [
            {"number": number, "url": url(page=str(number)), "current": number == page.number}
            if isinstance(number, int)
            else {"url": ""}
            for number in page.all.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
        ],
        "sort": filters.sort,
        "sorts": (("", "best match"), *SORTS[1:]) if query else SORTS,
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
    found: tuple[CategoryFacet, ...], filters: Filters, shelf: CategoryNode | None, url: Any
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


@dataclass(frozen=True, slots=True)
class Page:
    """A screenful of a list, and how long the list is."""

    number: int
    products: list[Product]
    total: int

    @property
    def all(self) -> Paginator:
        return Paginator(range(self.total), PER_PAGE)


def _page(request: HttpRequest, found: QuerySet[Product], counted: int) -> Page:
    """The page that is asked for. Raises BadRequest, and Http404 for one past the end.

    What was counted may be a minute old, and what stands on the page is not: it has the last word.
    """
    text = request.GET.get("page", "1")
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise BadRequest("a page is a number")
    number = int(text)
    before = (number - 1) * PER_PAGE
    products = browse.portion(found, after=before, count=PER_PAGE) if number else []
    if not products and number != 1:
        raise Http404
    seen = before + len(products)
    return Page(number, products, max(counted, seen) if len(products) == PER_PAGE else seen)


def _whole(minor: int | None) -> str:
    return "" if minor is None else str(minor // 100)
