"""`django stock_peer`: tables and goods of the peer; prints id and page of each product."""

from decimal import Decimal
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from oscar.apps.address.models import Country
from oscar.apps.catalogue.models import Category, Product, ProductCategory, ProductClass
from oscar.apps.partner.models import Partner, StockRecord

PRODUCTS = 100
UNITS = 1_000_000
# Of a single country oscar's form asks for none.
COUNTRIES = (("US", "USA", "840", "United States"), ("GB", "GBR", "826", "United Kingdom"))


class Command(BaseCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        for code, long, number, name in COUNTRIES:
            Country.objects.create(
                iso_3166_1_a2=code,
                iso_3166_1_a3=long,
                iso_3166_1_numeric=number,
                printable_name=name,
                name=name.upper(),
                is_shipping_country=True,
            )
        kind = ProductClass.objects.create(name="Mug", requires_shipping=True, track_stock=True)
        partner = Partner.objects.create(name="Bench")
        category = Category.add_root(name="Mugs")
        for number in range(PRODUCTS):
            product = Product.objects.create(
                product_class=kind, title=f"Mug {number}", description="A mug. " * 20
            )
            ProductCategory.objects.create(product=product, category=category)
            StockRecord.objects.create(
                product=product,
                partner=partner,
                partner_sku=f"M-{number}",
                price=Decimal("18.00"),
                num_in_stock=UNITS,
            )
            self.stdout.write(f"{product.pk} {product.get_absolute_url()}")
