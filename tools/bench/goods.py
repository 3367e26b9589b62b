"""The goods of the measured shop: SKUs, stock, a promo code, customers, a flash sale."""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from apps.catalog.models import Category, Product, Variant
from apps.customers.models import User
from apps.flash_sales.models import FlashSale
from apps.inventory.stock import default_warehouse
from apps.promos.codes import normalise
from apps.promos.models import Promo
from tools.bench.sql import sql

HOT = "BENCH-HOT"
UNIFORM = "BENCH-SKU-"  # and four digits
SKUS = 1_000
UNITS = 100_000_000
PROMO = "BENCH10"
# Each may check out sixty times a minute: together more often than is measured.
MEMBERS = 30_000  # without workers no order is paid, and an account may have five unpaid
MEMBERS_AT_ONCE = 2_000


def stock_up() -> None:
    """Create the goods where they are missing. Safe to repeat and to interrupt."""
    if not Variant.objects.filter(sku=HOT).exists():
        with transaction.atomic():
            _create_products()
    made = User.objects.filter(email__startswith="member").count()
    password = make_password(None)
    # By parts: on a busy machine one transaction for all would be idle for too long meanwhile.
    for first in range(made, MEMBERS, MEMBERS_AT_ONCE):
        User.objects.bulk_create(
            User(email=f"member{number}@example.com", password=password)
            for number in range(first, min(first + MEMBERS_AT_ONCE, MEMBERS))
        )


def _create_products() -> None:
    category = Category.objects.filter(slug="bench").first() or Category.objects.add_root(
        {"name": "Bench", "slug": "bench"}
    )
    skus = [HOT, *(f"{UNIFORM}{number:04}" for number in range(1, SKUS + 1))]
    products = Product.objects.bulk_create(
        Product(
            slug=sku.lower(), name=sku.title(), category=category, price_amount=1800, published=True
        )
        for sku in skus
    )
    variants = Variant.objects.bulk_create(
        Variant(product=product, sku=sku, price_amount=1800, weight_grams=350)
        for product, sku in zip(products, skus, strict=True)
    )
    add_stock(min(v.pk for v in variants), max(v.pk for v in variants), UNITS)
    Promo.objects.create(
        code=PROMO, normal_code=normalise(PROMO), kind=Promo.Kind.PERCENTAGE, percent_bp=1000
    )


def member_tokens(path: Path) -> Path:
    """Write an access token of every member to `path`, one a line, valid for two hours."""
    tokens = []
    for member in User.objects.filter(email__startswith="member").order_by("pk"):
        token = AccessToken.for_user(member)
        token.set_exp(lifetime=timedelta(hours=2))
        tokens.append(str(token))
    path.write_text("\n".join(tokens))
    return path


def add_stock(first_variant: int, last_variant: int, units: int) -> None:
    """Add `units` of each variant of a range to the default warehouse, with stock movements."""
    warehouse = default_warehouse().pk
    sql(
        "INSERT INTO inventory_stockitem (warehouse_id, variant_id, on_hand, reserved, version)"
        " SELECT %s, v.id, 0, 0, 0 FROM catalog_variant v WHERE v.id BETWEEN %s AND %s",
        *(warehouse, first_variant, last_variant),
    )
    sql(
        "WITH received AS (INSERT INTO inventory_stockmovement"
        " (id, stock_item_id, kind, quantity, reason, actor)"
        " SELECT gen_random_uuid(), s.id, 'initial', %s, 'bench', 'bench'"
        " FROM inventory_stockitem s WHERE s.variant_id BETWEEN %s AND %s"
        " RETURNING stock_item_id, quantity)"
        " UPDATE inventory_stockitem s SET on_hand = s.on_hand + r.quantity"
        " FROM received r WHERE r.stock_item_id = s.id",
        *(units, first_variant, last_variant),
    )


@contextlib.contextmanager
def flash_sale(*skus: str, gate: bool) -> Iterator[None]:
    """A running flash sale of the SKUs, with or without its stock gate."""
    now = timezone.now()
    sale = FlashSale.objects.create(
        name="Bench", slug="bench", stock_gate=gate, queue_opens_at=now, starts_at=now,
        ends_at=now + timedelta(hours=6),
    )  # fmt: skip
    sale.variants.set(Variant.objects.filter(sku__in=skus))
    time.sleep(3)  # every process reads it within two seconds
    try:
        yield
    finally:
        sale.delete()
