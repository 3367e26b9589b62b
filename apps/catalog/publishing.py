"""What a product needs before shoppers may see it: SKU, price and category.

One rule for every door. The admin asks it before a form is saved and before its "Publish" action,
the importer when it writes a product. Reading asks the database: `priced` is written by a trigger
(migration 0002) whenever a variant is added, switched on or off, whatever code did it, so that a
product without a variant for sale is public nowhere, not even for $0.00.
"""

from django.db.models import Q

from apps.catalog.models import Product, Variant

# Who may reach the page by its address, and who stands in lists, search and sitemap.
PUBLIC = Q(published=True, priced=True)
LISTED = PUBLIC & Q(listed=True)

NO_OFFER = "it has no active variant with a SKU and a price"
NO_CATEGORY = "it has no category"
GIFT_CARD = "gift cards are not sold here"


def objections(*, has_category: bool, has_offer: bool, gift_card: bool) -> tuple[str, ...]:
    """Why a product like this cannot be published, for people; empty: it can.

    `has_offer`: at least one active variant has a SKU and a price; 0.00 is a price.
    """
    found = []
    if not has_offer:
        found.append(NO_OFFER)
    if not has_category:
        found.append(NO_CATEGORY)
    if gift_card:
        found.append(GIFT_CARD)
    return tuple(found)


def objections_to(product: Product) -> tuple[str, ...]:
    """Why `product`, as it stands in the database, cannot be published; empty: it can."""
    offers = Variant.objects.filter(product=product, active=True).exclude(sku="")
    return objections(
        has_category=product.category_id is not None,
        has_offer=offers.exists(),
        gift_card=product.gift_card,
    )
