"""The front page, the pages of categories, and search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.catalog import browse
from apps.catalog.browse import CategoryNode
from apps.catalog.facets import CategoryFacet, Facets
from apps.catalog.facets import facets as facets_of
from apps.web import page_cache, product_cards
from apps.web.list_filters import SORTS, Filters, read_filters
from apps.web.pagination import Page, read_page
from apps.web.shared_pages import Shown, address_of, shared_page

FEATURED = 8
LAST_FEW = 4


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    # No parameter changes this page.
    return page_cache.answer(request, shared_page(request.path, _home))


def _home() -> Shown:
    featured = product_cards.cards(browse.products(in_stock=True).filter(featured=True)[:FEATURED])
    last_few = product_cards.cards(browse.last_few(units=product_cards.FEW, count=LAST_FEW))
    return Shown("web/home.html", {"featured": featured, "last_few": last_few}, ("home",))


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = " ".join(request.GET.get("q", "").replace("\x00", " ").split())[:100]

    def described() -> _Described:
        heading = f"“{query}”" if query else "Everything"
        return _Described(heading, "" if query else "All of it, on one long shelf.", query)

    return _list_page(request, described)


@require_safe
def category(request: HttpRequest, slug: str) -> HttpResponse:
    def described() -> _Described:
        path = _path_to(slug, browse.category_tree())
        if not path:
            raise Http404
        return _Described(
            path[-1].name, path[-1].description, category=path[-1], trail=tuple(path[:-1])
        )

    return _list_page(request, described)


def _path_to(slug: str, nodes: list[CategoryNode] | tuple[CategoryNode, ...]) -> list[CategoryNode]:
    """The categories from the root to the one with this slug; empty when there is none."""
    for node in nodes:
        if node.slug == slug:
            return [node]
        if below := _path_to(slug, node.children):
            return [node, *below]
    return []


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Links to this list with other parameters."""

    action: str
    kept: dict[str, str]

    def url(self, **changes: str) -> str:
        parameters = {name: value for name, value in (self.kept | changes).items() if value}
        return f"{self.action}?{urlencode(parameters)}" if parameters else self.action


@dataclass(frozen=True, slots=True)
class _Described:
    """What a list is of: a search (`query`), or a `category` below those of `trail`."""

    heading: str
    lead: str
    query: str = ""
    category: CategoryNode | None = None
    trail: tuple[CategoryNode, ...] = ()


def _list_page(request: HttpRequest, described: Callable[[], _Described]) -> HttpResponse:
    filters = read_filters(request)
    if filters.error:
        context = _list(request, described(), filters)
        return render(request, "web/product_list.html", context, status=400)

    def look() -> Shown:
        of = described()
        tag = f"category-{of.category.slug}" if of.category else "search"
        return Shown("web/product_list.html", _list(request, of, filters), ("list", tag))

    return page_cache.answer(request, shared_page(address_of(request), look))


def _list(request: HttpRequest, of: _Described, filters: Filters) -> dict[str, Any]:
    """What the list's page shows."""
    query, category = of.query, of.category
    within = category.slug if category else None
    found = browse.products(
        **filters.for_query(query),
        category=filters.category or within,
        ordering=filters.sort or None,
    )
    # Counted without the chosen subcategory: the visitor may choose another one instead.
    facets = facets_of(**filters.for_query(query), category=within)
    counted = facets.in_category(filters.category) if filters.category else facets.total
    page = read_page(request, found, counted)
    action = reverse("web:category", args=[within]) if within else reverse("web:search")
    kept = ({"q": query} if query else {}) | filters.parameters()
    addresses = _Addresses(action, kept)
    return {
        "heading": of.heading,
        "lead": of.lead,
        "caption": category.caption if category else "",
        "trail": of.trail if category else None,
        "current_category": (of.trail[0].slug if of.trail else category.slug) if category else "",
        "action": action,
        "query": query,
        "shown_for": facets.shown_for,
        "cards": product_cards.cards(page.products),
        "kept_parameters": [(name, value) for name, value in kept.items() if name != "sort"],
        "clear_url": f"{action}?{urlencode({'q': query})}" if query else action,
        "categories": _category_links(facets.categories, filters, category, addresses.url),
        **_pagination(page, addresses.url),
        **_filter_form(filters, facets, is_search=bool(query)),
    }


def _pagination(page: Page, url: Callable[..., str]) -> dict[str, Any]:
    pages = page.all.num_pages
    return {
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
    }


def _filter_form(filters: Filters, facets: Facets, *, is_search: bool) -> dict[str, Any]:
    return {
        "sort": filters.sort,
        "sorts": (("", "best match"), *SORTS[1:]) if is_search else SORTS,
        "min_price": filters.min_typed,
        "max_price": filters.max_typed,
        "in_stock": filters.in_stock,
        "price_error": filters.error,
        "price_range": (_whole(facets.min_price), _whole(facets.max_price)),
        "filtered": filters.any,
        "chosen_category": filters.category,
    }


def _category_links(
    found: tuple[CategoryFacet, ...],
    filters: Filters,
    category: CategoryNode | None,
    url: Callable[..., str],
) -> list[dict[str, Any]]:
    """In a category its subcategories, elsewhere all roots; nothing when there is only one."""
    depth = min((facet.depth for facet in found), default=1)
    if category is not None:
        below = {child.slug for child in category.children}
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


def _whole(minor: int | None) -> str:
    return "" if minor is None else str(minor // 100)
