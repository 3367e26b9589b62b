"""The catalog in the back office: products with variants, options and pictures; categories;
synonyms of the search.

Prices are typed as decimals and stored in minor units.

A SKU is fixed once it is made: orders, carts and returns refer to a variant by its SKU alone. A
variant that is no longer sold is deactivated, never deleted.
"""

from apps.catalog.admin import categories, products, synonyms

__all__ = ["categories", "products", "synonyms"]
