"""What shoppers read of the catalog: product lists, the category tree, product details.

Lists come from SQL in a bounded number of queries, with everything that a card shows annotated on
each product. Whether something is in stock is read from the stock rows, units on hold subtracted,
never from a cache. Product details and the tree come from Redis (../cache.py) and hold no
availability.
"""

from apps.catalog.browse.detail_types import (
    Crumb,
    OptionDetail,
    Picture,
    ProductDetail,
    VariantDetail,
)
from apps.catalog.browse.details import product_detail
from apps.catalog.browse.filters import ListFilters, narrowed
from apps.catalog.browse.lists import Found, found, portion, products
from apps.catalog.browse.orderings import ORDERINGS, UnknownOrdering
from apps.catalog.browse.scarce import COUNTS_KEPT, last_few
from apps.catalog.browse.stock import back_ordered
from apps.catalog.browse.tree import CategoryNode, category_tree

__all__ = [
    "COUNTS_KEPT",
    "ORDERINGS",
    "CategoryNode",
    "Crumb",
    "Found",
    "ListFilters",
    "OptionDetail",
    "Picture",
    "ProductDetail",
    "UnknownOrdering",
    "VariantDetail",
    "back_ordered",
    "category_tree",
    "found",
    "last_few",
    "narrowed",
    "portion",
    "product_detail",
    "products",
]
