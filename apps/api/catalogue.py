"""Products and categories. Open to everybody, without authentication, so that caches may help."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import documents, pagination, parameters
from apps.api.endpoint import Endpoint
from apps.api.pagination import Column, Ordering
from apps.catalog import browse
from apps.inventory import stock
from storefront import money

RELEVANCE = "relevance"
SHOP_ORDER = ""
# The keysets of browse.ORDERINGS; relevance has none.
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

    @extend_schema(**documents.PRODUCTS)
    def get(self, request: Request) -> Response:
        query = request.query_params
        search = parameters.text(query, "search", most=200)
        ordering = parameters.choice(query, "ordering", (*filter(None, ORDERINGS), RELEVANCE))
        if ordering is None:
            ordering = RELEVANCE if search else SHOP_ORDER
        elif ordering == RELEVANCE and not search:
            parameters.refuse("ordering", "Relevance needs a search.")
        found = browse.products(
            search=search,
            category=parameters.slug(query, "category"),
            min_price=parameters.amount(query, "min_price"),
            max_price=parameters.amount(query, "max_price"),
            in_stock=parameters.switch(query, "in_stock"),
            ordering=ordering or None,
        )
        return Response(pagination.page(found, ORDERINGS.get(ordering), request, product_document))


class OneProduct(Endpoint):
    """A product with its variants and what of them can be bought now."""

    authentication_classes = []

    @extend_schema(**documents.PRODUCT)
    def get(self, request: Request, slug: str) -> Response:
        detail = browse.product_detail(slug)
        if detail is None:
            raise Http404
        return Response(detail_document(detail))


class Categories(Endpoint):
    """The whole tree."""

    authentication_classes = []

    @extend_schema(**documents.CATEGORIES)
    def get(self, request: Request) -> Response:
        return Response([category_document(node) for node in browse.category_tree()])


def product_document(product: Any) -> dict[str, Any]:
    """A product of a list, as browse.products annotates it."""
    return {
        "id": product.pk,
        "slug": product.slug,
        "name": product.name,
        "price": money.payload(product.price_amount, product.currency),
        "compare_at_price": optional_price(product.compare_at_amount, product.currency),
        "image": product.image_path or None,
        "in_stock": product.in_stock,
        "category": product.category.slug,
    }


def detail_document(detail: browse.ProductDetail) -> dict[str, Any]:
    """A product's page; what is available is asked now, whatever the page's cache remembers."""
    available = stock.availability(detail.skus)
    variants = [
        {
            "sku": variant.sku,
            "name": variant.name,
            "price": money.payload(variant.price_amount, variant.currency),
            "compare_at_price": optional_price(variant.compare_at_amount, variant.currency),
            "available": max(0, available.get(variant.sku, 0)),
            "options": variant.options,
        }
        for variant in detail.variants
    ]
    return {
        "id": detail.id,
        "slug": detail.slug,
        "name": detail.name,
        "price": money.payload(detail.price_amount, detail.currency),
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


def category_document(node: browse.CategoryNode) -> dict[str, Any]:
    """A shelf with those below it."""
    return {
        "slug": node.slug,
        "name": node.name,
        "children": [category_document(child) for child in node.children],
    }


def optional_price(amount: int | None, currency: str) -> dict[str, str] | None:
    return None if amount is None else money.payload(amount, currency)
