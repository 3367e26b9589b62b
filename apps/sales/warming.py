"""Keeps the product pages of a sale warm from the opening of its doors: no click fills them."""

from apps.catalog import browse
from apps.catalog.models import Product
from apps.sales import on_sale


def warm_pages() -> int:
    """Fill the catalogue's cache for every product of the open sales; how many there are."""
    skus = list(on_sale.look())
    slugs = Product.objects.filter(variants__sku__in=skus).values_list("slug", flat=True)
    found = [browse.product_detail(slug) for slug in slugs.distinct()]
    return len([detail for detail in found if detail is not None])
