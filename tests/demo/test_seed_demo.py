"""seed_demo: a complete shop with pictures, unchanged by a second run."""

from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from apps.catalog import browse
from apps.catalog.models import Category, Product, ProductImage, Variant
from apps.customers.models import User
from apps.demo import pictures, seeding
from apps.demo.catalog import CATEGORIES, ITEMS
from apps.inventory.models import StockItem, StockMovement
from apps.orders.intake.quote import quote_lines
from apps.promos.models import Promo
from apps.shipping import rates

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

STATIC = Path(settings.BASE_DIR) / "static"


def seed() -> str:
    output = StringIO()
    call_command("seed_demo", stdout=output)
    return output.getvalue()


@pytest.fixture(scope="module")
def seeded_once(django_db_setup: None, django_db_blocker: "DjangoDbBlocker") -> Iterator[str]:
    """What the first run said. Seeding takes seconds, so all tests of this module share one.

    It stands in a transaction that ends with the module. What a test writes is undone before: its
    own transaction is a savepoint in this one.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield seed()
        transaction.set_rollback(True)


@pytest.fixture
def seeded(seeded_once: str, db: None) -> str:
    rates.forget()
    return seeded_once


def test_shop_is_full(seeded: str) -> None:
    assert Product.objects.count() == len(ITEMS) >= 48
    assert Category.objects.count() == len(CATEGORIES) >= 6
    captions = Category.objects.order_by("path").values_list("caption", flat=True)
    assert list(captions) == [category.caption for category in CATEGORIES]
    for login in seeding.LOGINS:
        assert f"{login.email}" in seeded
        assert login.password in seeded


def test_second_run_changes_nothing(seeded: str) -> None:
    tables = (Product, Variant, ProductImage, StockItem, StockMovement, Promo, User)
    before = Counter({table: table.objects.count() for table in tables})

    assert "nothing to do" in seed()

    assert Counter({table: table.objects.count() for table in tables}) == before


def test_second_run_does_not_restock_what_was_sold(seeded: str) -> None:
    StockItem.objects.filter(variant__sku="KP-MUG-PINE").update(on_hand=1)

    seed()

    assert StockItem.objects.get(variant__sku="KP-MUG-PINE").on_hand == 1


def test_every_stock_situation_exists(seeded: str) -> None:
    left = set(StockItem.objects.values_list("on_hand", flat=True))

    assert {0, 2} <= left
    assert max(left) > 50
    assert browse.products(in_stock=False).exists()
    assert browse.products(in_stock=True).filter(units_left__lte=3).count() >= 4


def test_stock_came_in_through_movements(seeded: str) -> None:
    for item in StockItem.objects.prefetch_related("movements"):
        assert item.on_hand == sum(move.quantity for move in item.movements.all())


def test_every_picture_of_the_catalog_is_drawn(seeded: str) -> None:
    paths = set(ProductImage.objects.values_list("path", flat=True))
    paths |= set(Category.objects.values_list("image", flat=True))

    assert all((STATIC / path.removeprefix("/static/")).is_file() for path in paths)
    assert len(paths) > 200


def test_committed_pictures_are_the_drawn_ones() -> None:
    drawn = {picture.name: picture.svg for picture in pictures.every_picture()}
    committed = {
        file.name: file.read_text(encoding="utf-8") for file in (STATIC / "demo").glob("*.svg")
    }

    assert committed.keys() == drawn.keys()
    assert [name for name in drawn if committed[name] != drawn[name]] == []


def test_variant_has_its_own_picture(seeded: str) -> None:
    detail = browse.product_detail("dipped-mug")

    assert detail is not None
    shown = {variant.name: variant.image for variant in detail.variants}
    assert shown["Clay"] == "/static/demo/dipped-mug-clay.svg"
    assert len(detail.images) == len(detail.variants) + 2  # and the scene, and the measured one


@pytest.mark.parametrize(
    ("code", "lines", "off"),
    [
        ("slow morning", [("KP-MUG-PINE", 2)], 440),
        ("PINE5", [("KP-MUG-PINE", 2)], 500),
        ("thirdmug", [("KP-MUG-PINE", 3)], 2200),
        ("GOLDENTICKET", [("KP-MUG-PINE", 2)], 2000),
    ],
)
def test_demo_code_gives_its_discount(
    seeded: str, code: str, lines: list[tuple[str, int]], off: int
) -> None:
    assert quote_lines(lines, promo_codes=[code]).discount_amount == off


@pytest.mark.parametrize(
    ("code", "problem"), [("LASTCRUMB", "promo_exhausted"), ("LASTWINTER", "promo_expired")]
)
def test_demo_code_that_is_over(seeded: str, code: str, problem: str) -> None:
    quote = quote_lines([("KP-MUG-PINE", 1)], promo_codes=[code])

    assert [found.code for found in quote.problems] == [problem]


@pytest.mark.parametrize(
    ("country", "subtotal", "standard"),
    [("US", 2000, 490), ("US", 8000, 0), ("DE", 2000, 1290), ("NZ", 2000, 1990)],
)
def test_parcel_has_a_price_everywhere(
    seeded: str, country: str, subtotal: int, standard: int
) -> None:
    found = rates.methods_for(
        country=country, weight_grams=500, subtotal_amount=subtotal, currency="USD"
    )

    assert found[0].code == "standard"
    assert found[0].price_amount == standard
