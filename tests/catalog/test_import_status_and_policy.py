"""import_catalog: drafts, unlisted products, gift cards; and what happens when none are left."""

import pytest
from django.db.models import Sum

from apps.catalog import browse
from apps.catalog.models import Product, Variant
from apps.inventory import holds, stock
from apps.inventory.models import StockMovement
from tests.catalog.product_files import COLUMNS, MUG, PAN, a_file, handles, load
from tests.inventory.stock_checks import reserve, wants

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]

POLICY, TRACKER = "Variant Inventory Policy", "Variant Inventory Tracker"
QUANTITY = "Variant Inventory Qty"
WIDE = (*COLUMNS, POLICY, TRACKER, "Gift Card")


def test_an_unlisted_product_is_reached_by_its_address_alone():
    load(a_file({**MUG, "Status": "Unlisted"}, PAN))

    assert browse.product_detail("mug") is not None
    assert [p.slug for p in browse.products()] == ["pan"]
    assert not browse.products(search="mug").exists()
    assert not browse.products(category="mugs").exists()
    assert [p.slug for p in browse.last_few(units=9, count=9)] == ["pan"]
    assert handles(load(a_file({**MUG, "Status": "active"}, PAN)).updated) == ["mug"]
    assert browse.products(search="mug").exists()


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_what_is_not_active_there_is_not_public_here(status):
    load(a_file({**MUG, "Status": status}))

    assert browse.product_detail("mug") is None


def test_a_gift_card_is_not_put_on_sale():
    content = a_file({**MUG, "Gift Card": "TRUE"}, {**PAN, "Gift Card": "FALSE"}, columns=WIDE)
    report = load(content)

    assert [n.text for n in report.notes] == [
        "Gift Card 'TRUE': not put on sale: gift cards are not sold here"
    ]
    assert browse.product_detail("mug") is None
    assert browse.product_detail("pan") is not None
    assert handles(load(content).unchanged) == ["mug", "pan"]


@pytest.mark.parametrize(
    ("policy", "tracker", "kept"),
    [
        *[("deny", "shopify", "deny"), ("continue", "shopify", "continue"), ("", "", "deny")],
        *[("deny", "", "untracked"), ("continue", "", "untracked"), ("", "shopify", "deny")],
        *[("CONTINUE", "shopify", "continue"), ("perhaps", "shopify", "deny")],
    ],
)
def test_policies_are_kept_with_the_variant(policy, tracker, kept):
    content = a_file({**MUG, POLICY: policy, TRACKER: tracker}, columns=WIDE)

    report = load(content)

    assert Variant.objects.get().inventory_policy == kept
    assert bool(report.notes) is (kept == "untracked" or policy == "perhaps")
    assert handles(load(content).unchanged) == ["mug"]


def test_a_file_without_a_tracker_says_that_units_are_counted():
    load(a_file({**MUG, POLICY: "continue"}, columns=(*COLUMNS, POLICY)))

    assert Variant.objects.get().inventory_policy == "continue"


def test_a_row_that_says_nothing_is_like_the_first():
    size = {"Option1 Name": "Size", "Option1 Value": "S"}
    second = {"Handle": "mug", "Option1 Value": "L", "Variant Price": "20"}
    load(a_file({**MUG, **size, POLICY: "continue", TRACKER: "shopify"}, second, columns=WIDE))

    assert set(Variant.objects.values_list("inventory_policy", flat=True)) == {"continue"}


def on_hand(sku: str = "M-1") -> int:
    return stock.levels([sku])[sku].on_hand


def a_mug_counted(quantity: int | str, policy: str = "continue", tracker: str = "shopify") -> bytes:
    row = {**MUG, POLICY: policy, TRACKER: tracker, QUANTITY: str(quantity)}
    return a_file(row, columns=WIDE)


def sell(units: int) -> None:
    order = wants((Variant.objects.get(), units))
    assert reserve(order) == [None]
    holds.confirm([order.order_id])


class TestDebts:
    """Units that are sold and not there, in the files of shops that go on selling."""

    def test_a_debt_is_kept_where_it_goes_on_selling(self):
        content = a_mug_counted(-3)

        report = load(content)

        assert report.notes == []
        assert on_hand() == -3
        assert stock.availability(["M-1"]) == {"M-1": stock.ENDLESS}
        assert Variant.objects.get().imported_quantity == -3
        assert handles(load(content).unchanged) == ["mug"]

        load(a_mug_counted(5))  # the debt is paid over there
        assert on_hand() == 5
        load(content)
        assert on_hand() == -3
        assert StockMovement.objects.aggregate(Sum("quantity"))["quantity__sum"] == -3

    def test_a_debt_is_noted_and_counted_from_nothing_where_it_is_sold_out(self):
        content = a_mug_counted(-3, "deny")

        report = load(content)

        assert [n.text for n in report.notes] == [
            "Variant Inventory Qty '-3': 3 are sold that are not there: a debt."
            " The stock here begins at 0"
        ]
        assert on_hand() == 0
        assert handles(load(content).unchanged) == ["mug"]

        load(a_mug_counted(-3))  # the same number, and now it means something
        assert on_hand() == -3

    def test_a_count_pays_the_debt_before_the_policy_becomes_deny(self):
        load(a_mug_counted(-3))

        report = load(a_mug_counted(5, "deny"))

        assert handles(report.updated) == ["mug"]
        assert (on_hand(), Variant.objects.get().inventory_policy) == (5, "deny")

    def test_deny_with_a_debt_is_refused_with_its_line(self):
        load(a_mug_counted(0))
        sell(2)

        report = load(a_mug_counted(0, "deny"))

        assert [(one.line, one.handle) for one in report.skipped] == [(2, "mug")]
        assert "M-1 owes 2 units (Main warehouse: -2 on hand, 0 held" in str(report.skipped[0])
        assert (on_hand(), Variant.objects.get().inventory_policy) == (-2, "continue")


class TestNotCounted:
    def test_the_number_in_the_file_is_booked_and_refuses_nothing(self):
        content = a_mug_counted(7, "deny", "")

        load(content)

        assert (on_hand(), Variant.objects.get().imported_quantity) == (7, 7)
        assert stock.availability(["M-1"]) == {"M-1": stock.ENDLESS}
        assert handles(load(content).unchanged) == ["mug"]

    def test_what_is_counted_again_has_the_count_of_the_file(self):
        load(a_mug_counted(8, "deny"))
        load(a_mug_counted(8, "deny", ""))
        sell(13)
        assert on_hand() == -5

        load(a_mug_counted(10, "deny"))

        assert on_hand() == 10
        assert handles(load(a_mug_counted(10, "deny")).unchanged) == ["mug"]

    def test_what_was_sold_meanwhile_stays_sold_where_the_books_were_kept(self):
        load(a_mug_counted(50, "deny"))
        load(a_mug_counted(50, "deny", ""))
        sell(20)

        load(a_mug_counted(50, "deny"))

        assert on_hand() == 30


def test_staff_may_hide_what_the_file_shows_until_the_next_import():
    load(a_file(MUG))
    Product.objects.update(published=False)

    assert load(a_file(MUG)).updated[0].changes == ("published",)
