"""Keeps the product pages of open sales in the cache, so that no shopper waits for a cold one."""

from apps.catalog import browse
from apps.catalog.models import Product
from apps.flash_sales import active_sales


def warm_pages() -> int:
    """Fill the catalog's cache for each product of the open sales; returns how many products."""
    skus = list(active_sales.read())
    slugs = Product.objects.filter(variants__sku__in=skus).values_list("slug", flat=True)
    found = [browse.product_detail(slug) for slug in slugs.distinct()]
    return len([detail for detail in found if detail is not None])
