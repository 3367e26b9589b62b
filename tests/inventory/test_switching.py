"""A variant's policy changes: its stock items follow; what the stock does not allow is refused."""

import pytest
from django.db import IntegrityError, transaction

from apps.catalog import services
from apps.catalog.models import Variant
from apps.inventory import holds, stock
from apps.inventory.models import StockItem
from apps.inventory.policy import Policy
from apps.inventory.switching import UnitsOwed
from tests.factories import StockItemFactory, WarehouseFactory, a_mug
from tests.inventory.stock_checks import (
    StockSnapshot,
    assert_stock_consistent,
    ledger,
    left,
    reserve,
    stock_of,
    wants,
)

pytestmark = pytest.mark.django_db


def switch(variant: Variant, policy: str) -> None:
    """As the forms and the importer do it."""
    with transaction.atomic():
        services.switch_policies({variant: policy}, actor="clerk")
        variant.inventory_policy = policy
        variant.save()


def sells_on(variant: Variant) -> list[bool]:
    """Of each of its stock items."""
    return list(StockItem.objects.filter(variant=variant).values_list("sells_on", flat=True))


class TestStockItemsFollow:
    def test_however_the_variant_is_changed(self):
        mug = a_mug(stock=1)
        StockItemFactory(warehouse=WarehouseFactory(), variant=mug)

        Variant.objects.filter(pk=mug.pk).update(inventory_policy="continue")
        assert sells_on(mug) == [True, True]

        mug.inventory_policy = Policy.UNTRACKED
        mug.save()
        assert sells_on(mug) == [True, True]

        mug.inventory_policy = Policy.DENY
        mug.save()
        assert sells_on(mug) == [False, False]

    def test_a_new_stock_item_has_the_policy_of_its_variant(self):
        mug = a_mug(stock=None)
        Variant.objects.update(inventory_policy="continue")

        item = StockItem.objects.create(
            variant=mug, warehouse=stock.default_warehouse(), sells_on=False
        )

        item.refresh_from_db()
        assert item.sells_on

    def test_nothing_else_changes_it(self):
        mug = a_mug(stock=1)

        StockItem.objects.update(sells_on=True)
        assert sells_on(mug) == [False]

        item = mug.stock.get()
        item.sells_on = True
        item.save()
        assert sells_on(mug) == [False]

    def test_the_version_says_that_it_changed(self):
        mug = a_mug(stock=1)
        before = mug.stock.get().version

        switch(mug, Policy.CONTINUE)

        assert mug.stock.get().version == before + 1


class TestBackToDeny:
    def test_is_allowed_where_nothing_is_owed(self):
        mug = a_mug(stock=5)
        switch(mug, Policy.CONTINUE)
        reserve(wants((mug, 5)))

        switch(mug, Policy.DENY)

        assert left(reserve(wants((mug, 1)))[0]) == {mug.sku: 0}
        assert_stock_consistent([mug])

    @pytest.mark.parametrize("sold", [False, True])
    def test_is_refused_with_what_is_owed_and_what_to_do(self, sold):
        mug = a_mug(stock=2)
        switch(mug, Policy.CONTINUE)
        order = wants((mug, 5))
        reserve(order)
        if sold:
            holds.confirm([order.order_id])
        before = StockSnapshot.now()

        with pytest.raises(UnitsOwed) as refused:
            switch(mug, Policy.DENY)

        counts = "-3 on hand, 0 held" if sold else "2 on hand, 5 held"
        assert str(refused.value) == (
            f"{mug.sku} owes 3 units (Main warehouse: {counts} for orders)."
            " Receive them, correct the count or cancel orders first. To end its sale at once,"
            " switch it off."
        )
        assert StockSnapshot.now() == before
        assert sells_on(mug) == [True]
        assert Variant.objects.get().inventory_policy == "continue"

    def test_is_allowed_once_the_units_have_come(self):
        mug = a_mug(stock=0)
        switch(mug, Policy.CONTINUE)
        reserve(wants((mug, 1)))
        stock.receive(sku=mug.sku, quantity=1, reason="pallet", actor="clerk")

        switch(mug, Policy.DENY)

        assert sells_on(mug) == [False]

    def test_is_refused_by_the_database_to_whoever_does_not_ask(self):
        mug = a_mug(stock=0)
        switch(mug, Policy.CONTINUE)
        reserve(wants((mug, 1)))

        with (
            pytest.raises(IntegrityError, match="stock_reserved_between_zero_and_on_hand"),
            transaction.atomic(),
        ):
            Variant.objects.update(inventory_policy="deny")

        assert sells_on(mug) == [True]


class TestCountedAgain:
    @pytest.mark.parametrize("policy", [Policy.DENY, Policy.CONTINUE])
    def test_the_count_begins_with_what_orders_hold(self, policy):
        """What was sold uncounted is no debt: the units were there, nobody had booked them in."""
        mug = a_mug(stock=0)
        switch(mug, Policy.UNTRACKED)
        sold, running = wants((mug, 7)), wants((mug, 2))
        reserve(sold, running)
        holds.confirm([sold.order_id])
        assert stock_of(mug) == (-7, 2)

        switch(mug, policy)

        assert stock_of(mug) == (2, 2)
        assert ledger(mug)[-1] == ("adjusted", 9)
        assert mug.stock.get().movements.latest("created_at").actor == "clerk"
        assert_stock_consistent([mug])

    def test_a_count_that_somebody_kept_stays(self):
        mug = a_mug(stock=10)
        switch(mug, Policy.UNTRACKED)
        order = wants((mug, 4))
        reserve(order)
        holds.confirm([order.order_id])

        switch(mug, Policy.DENY)

        assert stock_of(mug) == (6, 0)
        assert ledger(mug) == [("initial", 10), ("confirmed", -4)]

    def test_an_earlier_file_says_nothing_about_it_any_more(self):
        mug = a_mug(stock=0)
        Variant.objects.update(imported_quantity=8)
        mug.refresh_from_db()
        switch(mug, Policy.UNTRACKED)
        assert Variant.objects.get().imported_quantity == 8
        order = wants((mug, 1))
        reserve(order)
        holds.confirm([order.order_id])

        switch(mug, Policy.DENY)

        assert Variant.objects.get().imported_quantity is None


def test_nothing_to_change_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        services.check_policies({})
        services.switch_policies({}, actor="clerk")
