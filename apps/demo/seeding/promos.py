"""Promo codes, one of each kind, one for a single use, one used up and one expired."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.catalog.models import Category
from apps.demo.seeding.seeded import Seeded
from apps.promos.models import Promo

PROMOS: tuple[dict[str, Any], ...] = (
    {
        "code": "SLOWMORNING",
        "description": "10 % off everything",
        "kind": Promo.Kind.PERCENTAGE,
        "percent_bp": 1000,
    },
    {
        "code": "WELCOME15",
        "description": "15 % off, once per customer",
        "kind": Promo.Kind.PERCENTAGE,
        "percent_bp": 1500,
        "customer_limit": 1,
    },
    {
        "code": "PINE5",
        "description": "$5 off from $30, together with free delivery",
        "kind": Promo.Kind.FIXED,
        "amount": 500,
        "min_subtotal_amount": 3000,
        "stackable": True,
    },
    {
        "code": "FREESHIP",
        "description": "Free delivery from $25",
        "kind": Promo.Kind.FREE_SHIPPING,
        "min_subtotal_amount": 2500,
        "stackable": True,
    },
    {
        "code": "THIRDMUG",
        "description": "Buy two cups or mugs, get a third free",
        "kind": Promo.Kind.BUY_X_GET_Y,
        "buy_quantity": 2,
        "get_quantity": 1,
    },
    {
        "code": "GOLDENTICKET",
        "description": "$20 off for exactly one shopper",
        "kind": Promo.Kind.FIXED,
        "amount": 2000,
        "total_limit": 1,
    },
    {
        "code": "LASTCRUMB",
        "description": "Used up",
        "kind": Promo.Kind.PERCENTAGE,
        "percent_bp": 5000,
        "total_limit": 0,
    },
    {
        "code": "LASTWINTER",
        "description": "Expired",
        "kind": Promo.Kind.PERCENTAGE,
        "percent_bp": 2000,
        "ends_at": datetime(2026, 3, 1, tzinfo=UTC),
    },
)


def create_promos(seeded: Seeded, categories: Mapping[str, Category]) -> None:
    """Create the missing promos."""
    known = set(Promo.objects.values_list("code", flat=True))
    for fields in PROMOS:
        if fields["code"] in known:
            continue
        promo = Promo.objects.create(**fields)
        if promo.kind == Promo.Kind.BUY_X_GET_Y:
            promo.categories.add(categories["cups-mugs"])
        seeded.count("promos")
