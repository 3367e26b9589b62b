"""Products and categories: open to all, without authentication, so caches may keep them."""

from typing import Any, cast

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import kept_details, pagination, parameters
from apps.api.contract.money import optional_price, price
from apps.api.contract.product import Availability, Category, Product, ProductDetail, Variant
from apps.api.endpoint import Endpoint
from apps.api.openapi import catalog as calls
from apps.api.openapi.call import described
from apps.api.pagination import Column, Ordering
from apps.catalog import browse
from apps.inventory import stock

RELEVANCE = "relevance"
SHOP_ORDER = ""
# The columns that browse.ORDERINGS sort by; relevance has none.
ORDERINGS: dict[str, Ordering] = {
    SHOP_ORDER: (Column("featured", descending=True), Column("name"), Column("id")),
    "name": (Column("name"), Column("id")),
    "price": (Column("price_amount"), Column("id")),
    "-price": (Column("price_amount", descending=True), Column("id", descending=True)),
    "newest": (Column("created_at", descending=True), Column("id", descending=True)),
}


class Products(Endpoint):
    """Browse and search."""

    authentication_classes = []

    @described(calls.PRODUCTS)
    def get(self, request: Request) -> Response:
        query = request.query_params
        search = parameters.text(query, "search", most=200)
        ordering = parameters.choice(query, "ordering", (*filter(None, ORDERINGS), RELEVANCE))
        if ordering is None or (ordering == RELEVANCE and not search):
            ordering = RELEVANCE if search else SHOP_ORDER
        found = browse.found(
            search=search,
            category=parameters.slug(query, "category"),
            min_price=parameters.amount(query, "min_price"),
            max_price=parameters.amount(query, "max_price"),
            in_stock=parameters.switch(query, "in_stock"),
            ordering=ordering or None,
        )
        page = pagination.page(found.products, ORDERINGS.get(ordering), request, product_document)
        return Response({**page, "shown_for": found.shown_for or None})


class OneProduct(Endpoint):
    """A product with its variants and how many of each can be bought now."""

    authentication_classes = []

    @described(calls.PRODUCT)
    def get(self, request: Request, slug: str) -> Response:
        detail = kept_details.of(slug)
        if detail is None:
            raise Http404
        return Response(detail_document(detail))


class Categories(Endpoint):
    """The whole tree."""

    authentication_classes = []

    @described(calls.CATEGORIES)
    def get(self, request: Request) -> Response:
        return Response([category_document(node) for node in browse.category_tree()])


def product_document(product: Any) -> Product:
    """A product of a list, as browse.products annotates it."""
    return {
        "id": product.pk,
        "slug": product.slug,
        "name": product.name,
        "price": price(product.price_amount, product.currency),
        "compare_at_price": optional_price(product.compare_at_amount, product.currency),
        "image": product.image_path or None,
        "in_stock": product.in_stock,
        "category": product.category.slug,
    }


def detail_document(detail: browse.ProductDetail) -> ProductDetail:
    """A product with its variants; what is available is read now, not from the page's cache."""
    levels = stock.levels(detail.skus)
    variants: list[Variant] = [
        {
            "sku": variant.sku,
            "name": variant.name,
            "price": price(variant.price_amount, variant.currency),
            "compare_at_price": optional_price(variant.compare_at_amount, variant.currency),
            "available": level.for_sale,
            "availability": _availability(level),
            "options": variant.options,
        }
        for variant, level in (
            (variant, levels.get(variant.sku, stock.Level())) for variant in detail.variants
        )
    ]
    return {
        "id": detail.id,
        "slug": detail.slug,
        "name": detail.name,
        "price": price(detail.price_amount, detail.currency),
        "compare_at_price": optional_price(detail.compare_at_amount, detail.currency),
        "image": detail.image or None,
        "in_stock": any(variant["available"] for variant in variants),
        "category": detail.category.slug,
        "description": detail.description,
        "images": [{"url": picture.path, "alt": picture.alt} for picture in detail.images],
        "options": [
            {"name": option.name, "values": list(option.values)} for option in detail.options
        ],
        "variants": variants,
    }


def _availability(level: stock.Level) -> Availability:
    if level.back_ordered(1):
        return "backorder"
    return "in_stock" if level.for_sale else "out_of_stock"


def category_document(node: browse.CategoryNode) -> Category:
    """A category with those below it."""
    return {
        "slug": node.slug,
        "name": node.name,
        "children": cast(
            list[dict[str, Any]], [category_document(child) for child in node.children]
        ),
    }
