"""What a SKU costs and how it ships now: read by the checkout, from the primary database.

One statement for any number of SKUs, no model instances and no query building, because each quote
and each accepted order runs it. Never from a cache or a replica: an old price here is a wrong
charge.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.catalog.pictures import PLACEHOLDER
from apps.core import sql

OFFERS = """
    SELECT v.sku, v.id AS variant_id, p.id AS product_id, p.slug, c.path,
           CASE WHEN v.name = '' THEN p.name ELSE p.name || ' · ' || v.name END AS name,
           v.price_amount, v.currency, v.weight_grams, v.taxable, v.requires_shipping,
           coalesce(picture.path, %(placeholder)s::text) AS image,
           p.units_per_line, p.units_per_order, p.units_per_customer
    FROM catalog_variant v
    JOIN catalog_product p ON p.id = v.product_id AND p.published
    JOIN catalog_category c ON c.id = p.category_id
    LEFT JOIN LATERAL (
        -- The variant's own picture, else the first of the product's that shows no other variant.
        SELECT i.path FROM catalog_productimage i WHERE i.product_id = p.id
        ORDER BY i.variant_id IS DISTINCT FROM v.id, i.variant_id IS NOT NULL, i.position, i.id
        LIMIT 1
    ) picture ON true
    WHERE v.active AND v.sku = ANY(%(listed)s::text[])
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """One SKU as it is sold now. `unit_amount` in minor units of `currency`.

    `units_per_…` are the product's own limits, None where it has none (flash_sales/limits.py).
    """

    sku: str
    variant_id: int
    product_id: int
    product_slug: str
    category_path: str
    name: str
    unit_amount: int
    currency: str
    weight_grams: int
    taxable: bool
    requires_shipping: bool
    image: str
    units_per_line: int | None = None
    units_per_order: int | None = None
    units_per_customer: int | None = None


def offers(skus: Iterable[str]) -> dict[str, Offer]:
    """The offer of each SKU that is sold: active, of a published product. Others are absent."""
    asked = [sku for sku in set(skus) if may_exist(sku)]
    if not asked:
        return {}
    rows = sql.fetch_listed(OFFERS, asked, {"placeholder": PLACEHOLDER})
    return {row[0]: Offer(*row) for row in rows}


def may_exist(sku: str) -> bool:
    """Whether a query may name it. Of invalid texts no query is made: nothing is sold by them."""
    # PostgreSQL raises on a NUL and on half a surrogate pair; no SKU holds either.
    return "\x00" not in sku and sku.encode("utf-8", "ignore").decode() == sku
