"""Shipping methods, zones and rates."""

from collections.abc import Iterable
from itertools import pairwise

from apps.demo.seeding.seeded import Seeded
from apps.shipping.models import Method, Rate, Zone

EUROPE = [
    "AT",
    "BE",
    "BG",
    "CH",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GB",
    "GR",
    "HR",
    "HU",
    "IE",
    "IS",
    "IT",
    "LI",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "NO",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]
# By zone and method: bands of (weight in grams at least, price in minor units), and the subtotal in
# minor units from which shipping is free, or None.
TARIFFS: dict[str, dict[str, tuple[tuple[tuple[int, int], ...], int | None]]] = {
    "United States": {
        "standard": (((0, 490), (1000, 790), (5000, 1290)), 7500),
        "express": (((0, 1290), (2000, 1990), (10000, 3490)), None),
    },
    "Europe": {
        "standard": (((0, 1290), (1000, 1990), (5000, 3490)), 15000),
        "express": (((0, 2490), (2000, 3990), (10000, 6900)), None),
    },
    "Everywhere else": {
        "standard": (((0, 1990), (1000, 2990), (5000, 4990)), None),
    },
}
ZONES = {"United States": ["US"], "Europe": EUROPE, "Everywhere else": ["*"]}
METHODS = (
    Method(code="standard", name="Standard, by daylight", min_days=3, max_days=5, position=0),
    Method(code="express", name="Express, before breakfast", min_days=1, max_days=2, position=1),
)


def create_shipping(seeded: Seeded) -> None:
    """Create the missing methods; and the missing zones, each with its rates."""
    methods = _create_methods(seeded)
    for name, countries in ZONES.items():
        zone, created = Zone.objects.get_or_create(name=name, defaults={"countries": countries})
        if not created:
            continue
        seeded.count("delivery zones")
        for code, (bands, free_from) in TARIFFS[name].items():
            rates = list(_rates(zone, methods[code], bands, free_from))
            Rate.objects.bulk_create(rates)
            seeded.count("delivery rates", len(rates))


def _create_methods(seeded: Seeded) -> dict[str, Method]:
    methods = {}
    for wanted in METHODS:
        methods[wanted.code], created = Method.objects.get_or_create(
            code=wanted.code,
            defaults={
                "name": wanted.name,
                "min_days": wanted.min_days,
                "max_days": wanted.max_days,
                "position": wanted.position,
            },
        )
        seeded.count("delivery methods", int(created))
    return methods


def _rates(
    zone: Zone, method: Method, bands: tuple[tuple[int, int], ...], free_from: int | None
) -> Iterable[Rate]:
    ends = [*(start for start, _ in bands), None]
    for (start, end), (_, price) in zip(pairwise(ends), bands, strict=True):
        yield Rate(zone=zone, method=method, at_least=start or 0, below=end, price_amount=price)
    if free_from is not None:
        yield Rate(
            zone=zone,
            method=method,
            basis=Rate.Basis.TOTAL,
            at_least=free_from,
            price_amount=0,
        )
