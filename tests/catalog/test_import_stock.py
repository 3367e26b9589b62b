"""import_catalog: a file's counts become stock by movements; what was sold stays sold."""

import pytest
from django.db.models import Sum

from apps.catalog.models import Product
from apps.inventory import stock
from apps.inventory.models import StockItem
from tests.catalog.product_files import MUG, PAN, a_file, everything, handles, load, problems
from tests.factories import HoldFactory, a_mug

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]


def sell(sku: str, quantity: int) -> None:
    stock.adjust(sku=sku, change=-quantity, reason="sold", actor="tests")


def test_the_first_count_becomes_the_stock_by_a_movement():
    load(a_file(MUG))

    item = StockItem.objects.get(variant__sku="M-1")
    assert (item.on_hand, item.warehouse.is_default) == (5, True)
    (movement,) = item.movements.all()
    assert (movement.kind, movement.quantity, movement.actor) == ("initial", 5, "import_catalog")


def test_importing_again_does_not_bring_sold_units_back():
    load(a_file(MUG))
    sell("M-1", 3)

    report = load(a_file(MUG))

    assert handles(report.unchanged) == ["mug"]
    assert stock.availability(["M-1"]) == {"M-1": 2}


def test_a_new_count_moves_stock_by_the_difference():
    load(a_file(MUG))
    sell("M-1", 3)

    report = load(a_file({**MUG, "Variant Inventory Qty": "9"}))

    assert [(e.handle, e.changes) for e in report.updated] == [("mug", ("M-1: stock +4",))]
    assert stock.availability(["M-1"]) == {"M-1": 6}
    item = StockItem.objects.get(variant__sku="M-1")
    assert item.movements.aggregate(units=Sum("quantity"))["units"] == item.on_hand


def test_a_variant_that_never_was_in_a_file_takes_the_files_count():
    a_mug(sku="M-1", slug="mug", stock=12)

    load(a_file(MUG))

    assert stock.availability(["M-1"]) == {"M-1": 5}


def test_a_count_below_what_orders_hold_refuses_the_whole_product():
    load(a_file(MUG))
    HoldFactory(stock_item=StockItem.objects.get(variant__sku="M-1"), quantity=4)
    before = everything()

    report = load(a_file({**MUG, "Title": "New name", "Variant Inventory Qty": "3"}, PAN))

    assert [line for line, _ in problems(report)] == [2]
    assert "5 on hand, 4 of them held" in problems(report)[0][1]
    assert handles(report.created) == ["pan"]
    Product.objects.filter(slug="pan").exists()
    assert everything()[1][0] == before[1][0]  # not even its name


def test_a_blank_count_says_nothing():
    load(a_file(MUG))

    report = load(a_file({**MUG, "Variant Inventory Qty": ""}))

    assert handles(report.unchanged) == ["mug"]
    assert stock.availability(["M-1"]) == {"M-1": 5}
