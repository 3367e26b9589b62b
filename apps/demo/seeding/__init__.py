"""Fill the shop with the demo's categories, products, stock, promos, shipping, taxes and logins.

Everything is looked up by its natural key (slug, SKU, code, e-mail) and created when missing. What
exists is left unchanged, so a second run changes nothing and staff's changes survive it. Stock
comes in through movements, once per SKU: a variant that was sold out by shoppers stays sold out.
"""

from django.db import transaction

from apps.demo.seeding.logins import LOGINS, Login, create_logins
from apps.demo.seeding.products import create_categories, create_products
from apps.demo.seeding.promos import create_promos
from apps.demo.seeding.seeded import Seeded
from apps.demo.seeding.shipping import create_shipping
from apps.demo.seeding.synonyms import create_synonyms
from apps.demo.seeding.taxes import create_taxes

__all__ = ["LOGINS", "Login", "Seeded", "seed"]


def seed(*, with_logins: bool) -> Seeded:
    """Create what is missing, in one transaction."""
    seeded = Seeded()
    with transaction.atomic():
        categories = create_categories(seeded)
        create_products(seeded, categories)
        create_promos(seeded, categories)
        create_synonyms(seeded)
        create_shipping(seeded)
        create_taxes(seeded)
        if with_logins:
            create_logins(seeded)
    return seeded
