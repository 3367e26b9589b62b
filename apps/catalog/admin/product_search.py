"""Staff find products by the shop's own search, and also those that the shop does not show."""

from django.db.models import QuerySet

from apps.catalog import search as searching
from apps.catalog.browse.matching import matching
from apps.catalog.models import Product

SLUGS_MAX = 200  # products; whoever sees more types on


def found(products: QuerySet[Product], typed: str) -> QuerySet[Product]:
    """Those of `products` that `typed` finds: by their words in any spelling, by the beginning of
    a SKU or barcode, also of a variant that is switched off, or by the beginning of their address.
    """
    words = searching.cleaned(typed)
    numbered = searching.products_numbered(words, using=products.db, inactive=True) if words else []
    if "-" in words:
        named = Product.objects.using(products.db).filter(slug__startswith=words.lower())
        numbered = [*numbered, *named.order_by().values_list("pk", flat=True)[:SLUGS_MAX]]
    return matching(products, words, numbered=numbered).rows
