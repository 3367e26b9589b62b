"""The calls of the catalog: products and categories."""

from apps.api.contract.product import Category, ProductDetail, ProductPage
from apps.api.openapi.call import NO_PAGE, call
from apps.api.openapi.parameters import CURSOR, PAGE_SIZE, query

_PRICE = {"type": "string", "pattern": r"^([0-9]{1,10}(\.[0-9]{1,4})?)?$", "example": "19.99"}

PRODUCTS = call(
    "products",
    "Browse and search products",
    {200: ProductPage},
    authenticates=False,
    tag="catalog",
    problems={400: "`invalid`: a parameter is not understood", **NO_PAGE},
    parameters=(
        query(
            "search",
            "words in name, tags, vendor, description, or a SKU or barcode",
            {"type": "string", "maxLength": 200},
        ),
        query(
            "category",
            "a category's slug; sub-categories count",
            {"type": "string", "maxLength": 255, "pattern": "^[A-Za-z0-9_-]*$"},
        ),
        query("min_price", "a decimal string", _PRICE),
        query("max_price", "a decimal string", _PRICE),
        query("in_stock", "true: only what can be bought now", {"type": "boolean"}),
        query(
            "ordering",
            "relevance is the default together with search, and nothing without",
            enum=["name", "price", "-price", "newest", "relevance"],
        ),
        CURSOR,
        PAGE_SIZE,
    ),
)
PRODUCT = call(
    "product",
    "One product with its variants",
    {200: ProductDetail},
    authenticates=False,
    tag="catalog",
    problems={404: "`not_found`"},
)
CATEGORIES = call(
    "categories",
    "The tree of categories",
    {200: list[Category]},
    authenticates=False,
    tag="catalog",
)
