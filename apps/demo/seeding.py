"""Fill the shop: shelves, goods, stock, promos, delivery, tax, logins.

Everything is found by its natural key (slug, SKU, code, e-mail) and made when missing; what is
there is left alone, so a second run changes nothing and staff's changes survive it. Stock comes in
through movements, once per SKU: a variant that was sold out by shoppers stays sold out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant
from apps.customers import addresses
from apps.customers.models import User
from apps.demo.catalogue import ITEMS, SHELF_OF, SHELVES, Item
from apps.demo.pictures import pictures_of
from apps.inventory import stock
from apps.inventory.models import StockMovement
from apps.promos.models import Promo
from apps.shipping.models import Method, Rate, Zone
from apps.taxes.models import TaxRate

ACTOR = "seed_demo"


@dataclass
class Seeded:
    """How many rows of each kind were made; all zero on a second run."""

    made: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, number: int = 1) -> None:
        self.made[kind] = self.made.get(kind, 0) + number


@dataclass(frozen=True)
class Login:
    """A demo login as it is printed."""

    email: str
    password: str
    name: str
    role: str


LOGINS = (
    Login("alice@kettleandpine.example", "slow-mornings", "Alice Marsh", "customer"),
    Login("bob@kettleandpine.example", "second-breakfast", "Bob Teller", "customer"),
    Login("staff@kettleandpine.example", "warm-the-pot-first", "Sam Porter", "staff"),
    Login("admin@kettleandpine.example", "kettle-is-on", "Ada Kettle", "admin"),
)

ALICE_LIVES = {
    "name": "Alice Marsh",
    "line1": "14 Larch Street",
    "line2": "Top bell",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97214",
    "country": "US",
    "phone": "+1 503 555 0114",
}

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


def seed(*, with_logins: bool) -> Seeded:
    """Make what is missing, all or nothing."""
    seeded = Seeded()
    with transaction.atomic():
        shelves = _shelves(seeded)
        _goods(seeded, shelves)
        _promos(seeded, shelves)
        _delivery(seeded)
        _taxes(seeded)
        if with_logins:
            _logins(seeded)
    return seeded


def _shelves(seeded: Seeded) -> dict[str, Category]:
    known = {category.slug: category for category in Category.objects.all()}
    for shelf in SHELVES:
        if shelf.slug not in known:
            known[shelf.slug] = Category.objects.add_root(
                {
                    "slug": shelf.slug,
                    "name": shelf.name,
                    "description": shelf.description,
                    "image": f"/static/demo/shelf-{shelf.slug}.svg",
                }
            )
            seeded.count("categories")
    return known


def _goods(seeded: Seeded, shelves: dict[str, Category]) -> None:
    known = set(
        Product.objects.filter(slug__in=[item.slug for item in ITEMS]).values_list(
            "slug", flat=True
        )
    )
    for item in ITEMS:
        if item.slug not in known:
            _one_good(item, shelves[SHELF_OF[item.slug]], seeded)


def _one_good(item: Item, shelf: Category, seeded: Seeded) -> None:
    rows = list(item.variants())
    cheapest = min(rows, key=lambda row: row.price)
    made = Product.objects.create(
        slug=item.slug,
        name=item.name,
        description=item.description(),
        vendor=item.maker,
        category=shelf,
        tags=list(item.tags),
        featured=item.featured,
        price_amount=cheapest.price,
        compare_at_amount=cheapest.compare_at,
    )
    ProductOption.objects.bulk_create(
        ProductOption(
            product=made,
            name=name,
            values=[choice.label for choice in choices],
            position=position,
        )
        for position, (name, choices) in enumerate(item.options.items())
    )
    variants = {
        variant.sku: variant
        for variant in Variant.objects.bulk_create(
            Variant(
                product=made,
                sku=row.sku,
                name=row.name,
                options=row.options,
                price_amount=row.price,
                compare_at_amount=row.compare_at,
                weight_grams=row.weight_grams,
                position=position,
            )
            for position, row in enumerate(rows)
        )
    }
    pictures = list(pictures_of(item))
    # A picture that several variants share has a row for each; the gallery shows it once.
    ProductImage.objects.bulk_create(
        ProductImage(
            product=made,
            variant=variants[sku] if sku else None,
            path=picture.path,
            alt=picture.alt,
            position=position,
        )
        for position, picture in enumerate(pictures)
        for sku in picture.skus or ("",)
    )
    for row in rows:
        stock.receive(
            sku=row.sku,
            quantity=row.stock,
            kind=StockMovement.Kind.INITIAL,
            reason="opening stock",
            actor=ACTOR,
        )
    seeded.count("products")
    seeded.count("variants", len(rows))
    seeded.count("pictures", len(pictures))


def _promos(seeded: Seeded, shelves: dict[str, Category]) -> None:
    wanted = (
        Promo(
            code="SLOWMORNING",
            description="10 % off everything",
            kind=Promo.Kind.PERCENTAGE,
            percent_bp=1000,
        ),
        Promo(
            code="WELCOME15",
            description="15 % off, once per customer",
            kind=Promo.Kind.PERCENTAGE,
            percent_bp=1500,
            customer_limit=1,
        ),
        Promo(
            code="PINE5",
            description="$5 off from $30, together with free delivery",
            kind=Promo.Kind.FIXED,
            amount=500,
            min_subtotal_amount=3000,
            stackable=True,
        ),
        Promo(
            code="FREESHIP",
            description="Free delivery from $25",
            kind=Promo.Kind.FREE_SHIPPING,
            min_subtotal_amount=2500,
            stackable=True,
        ),
        Promo(
            code="THIRDMUG",
            description="Buy two cups or mugs, get a third free",
            kind=Promo.Kind.BUY_X_GET_Y,
            buy_quantity=2,
            get_quantity=1,
        ),
        Promo(
            code="GOLDENTICKET",
            description="$20 off for exactly one shopper",
            kind=Promo.Kind.FIXED,
            amount=2000,
            total_limit=1,
        ),
        Promo(
            code="LASTCRUMB",
            description="Used up",
            kind=Promo.Kind.PERCENTAGE,
            percent_bp=5000,
            total_limit=0,
        ),
        Promo(
            code="LASTWINTER",
            description="Expired",
            kind=Promo.Kind.PERCENTAGE,
            percent_bp=2000,
            ends_at=datetime(2026, 3, 1, tzinfo=UTC),
        ),
    )
    known = set(Promo.objects.values_list("code", flat=True))
    for promo in wanted:
        if promo.code not in known:
            promo.save()
            if promo.kind == Promo.Kind.BUY_X_GET_Y:
                promo.categories.add(shelves["cups-mugs"])
            seeded.count("promos")


# Minor units by weight band in grams: (at least, price); and from which subtotal it is free.
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


def _delivery(seeded: Seeded) -> None:
    methods = {}
    for wanted in METHODS:
        methods[wanted.code], made = Method.objects.get_or_create(
            code=wanted.code,
            defaults={
                "name": wanted.name,
                "min_days": wanted.min_days,
                "max_days": wanted.max_days,
                "position": wanted.position,
            },
        )
        seeded.count("delivery methods", int(made))
    for name, countries in ZONES.items():
        zone, made = Zone.objects.get_or_create(name=name, defaults={"countries": countries})
        if not made:
            continue
        seeded.count("delivery zones")
        for code, (bands, free_from) in TARIFFS[name].items():
            rates = list(_weight_rates(zone, methods[code], bands))
            if free_from is not None:
                rates.append(
                    Rate(
                        zone=zone,
                        method=methods[code],
                        basis=Rate.Basis.TOTAL,
                        at_least=free_from,
                        price_amount=0,
                    )
                )
            Rate.objects.bulk_create(rates)
            seeded.count("delivery rates", len(rates))


def _weight_rates(zone: Zone, method: Method, bands: tuple[tuple[int, int], ...]) -> Iterable[Rate]:
    ends = [*(start for start, _ in bands), None]
    for (start, end), (_, price) in zip(pairwise(ends), bands, strict=True):
        yield Rate(zone=zone, method=method, at_least=start or 0, below=end, price_amount=price)


TAXES = (
    ("US", "CA", "California sales tax", 725, False),
    ("US", "NY", "New York sales tax", 400, True),
    ("US", "TX", "Texas sales tax", 625, True),
    ("US", "WA", "Washington sales tax", 650, True),
    ("US", "IL", "Illinois sales tax", 625, False),
    ("CA", "", "Goods and services tax", 500, True),
    ("GB", "", "VAT", 2000, True),
    ("DE", "", "VAT", 1900, True),
    ("FR", "", "VAT", 2000, True),
)


def _taxes(seeded: Seeded) -> None:
    known = set(TaxRate.objects.values_list("country", "region"))
    rates = [
        TaxRate(country=country, region=region, name=name, rate_bp=bp, taxes_shipping=shipping)
        for country, region, name, bp, shipping in TAXES
        if (country, region) not in known
    ]
    TaxRate.objects.bulk_create(rates)
    seeded.count("tax rates", len(rates))


STAFF_APPS = (
    *("catalog", "inventory", "orders", "promos", "shipping", "taxes", "payments"),
    *("notifications", "desk"),
)


def _logins(seeded: Seeded) -> None:
    known = set(User.objects.values_list("email", flat=True))
    for login in LOGINS:
        if login.email in known:
            continue
        if login.role == "admin":
            User.objects.create_superuser(login.email, login.password, name=login.name)
        else:
            user = User.objects.create_user(
                login.email, login.password, name=login.name, is_staff=login.role == "staff"
            )
            if login.role == "staff":
                user.groups.add(_staff_group())
        seeded.count("logins")
        if login.name == ALICE_LIVES["name"]:
            addresses.create(User.objects.get(email=login.email), ALICE_LIVES)


def _staff_group() -> Group:
    """May look at and change the shop, but not delete from it, nor touch logins."""
    group, made = Group.objects.get_or_create(name="Shop staff")
    if made:
        group.permissions.set(
            Permission.objects.filter(content_type__app_label__in=STAFF_APPS).exclude(
                codename__startswith="delete_"
            )
        )
    return group
