"""The goods and promos of the shop that is broken, put there for a run."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from apps.catalog.models import Variant
from apps.flash_sales.models import FlashSale
from apps.promos.models import Promo

HOT, SCARCE = "FAULTS-HOT", "FAULTS-SCARCE"  # the scarce in a flash sale, behind the stock gate
COLD = tuple(f"FAULTS-COLD-{number}" for number in range(1, 9))
PROMO, PROMO_ONCE = "FAULTS10", "FAULTSONCE"  # a total limit; a limit per customer

HEADER = (
    "Handle,Title,Type,Published,Variant SKU,Variant Grams,Variant Inventory Qty,"
    "Variant Price,Variant Requires Shipping,Variant Taxable"
)


def add_goods(file: Path, import_catalog: Callable[[Path], None]) -> None:
    """Write the products' CSV to `file`, have it imported, and add promos and a flash sale."""
    rows = [
        f"{sku.lower()},{sku.title()},Faults,true,{sku},300,{stock},{price},true,true"
        for sku, stock, price in (
            (HOT, 400, "25.00"),
            (SCARCE, 3, "60.00"),
            *((sku, 300, f"{8 + number}.50") for number, sku in enumerate(COLD)),
        )
    ]
    file.write_text("\n".join([HEADER, *rows]))
    import_catalog(file)
    kinds = Promo.Kind
    Promo.objects.create(code=PROMO, kind=kinds.PERCENTAGE, percent_bp=1000, total_limit=40)
    Promo.objects.create(code=PROMO_ONCE, kind=kinds.FIXED, amount=200, customer_limit=1)
    now = timezone.now()
    sale = FlashSale.objects.create(
        name="The last three",
        slug="the-last-three",
        queue_opens_at=now,
        starts_at=now,
        ends_at=now + timedelta(days=1),
    )
    sale.variants.set(Variant.objects.filter(sku=SCARCE))
