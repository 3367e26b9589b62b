"""What is for sale, how people change it through the ledger, and what the database refuses."""

from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.inventory import stock
from apps.inventory.models import Hold, StockItem, StockMovement, Warehouse
from apps.inventory.stock import UnknownSku, WouldGoBelowReserved
from tests.factories import (
    HoldFactory,
    StockItemFactory,
    StockMovementFactory,
    WarehouseFactory,
    a_kettle,
    a_mug,
    held_mug,
    sold_out_mug,
)
from tests.inventory.stock_checks import StockSnapshot, assert_stock_consistent, ledger, stock_of
from tests.orders.purchases import at_once

pytestmark = pytest.mark.django_db


class TestAvailability:
    def test_is_on_hand_less_reserved_over_all_warehouses(self):
        mug, kettle = held_mug(stock=2), a_kettle(stock=3)
        StockItemFactory(warehouse=WarehouseFactory(), variant=mug, on_hand=4, reserved=1)

        assert stock.availability([mug.sku, kettle.sku]) == {mug.sku: 3, kettle.sku: 3}

    def test_no_units_or_no_stock_item_is_zero_not_absent(self):
        empty, never_stocked = sold_out_mug(), a_mug(stock=None)

        assert stock.availability([empty.sku, never_stocked.sku]) == {
            empty.sku: 0,
            never_stocked.sku: 0,
        }

    def test_unknown_sku_is_absent(self):
        assert stock.availability(["NO-SUCH-THING", ""]) == {}

    def test_no_skus_is_an_empty_answer(self):
        assert stock.availability([]) == {}


class TestReceiving:
    def test_first_delivery_creates_the_stock_item(self):
        mug = a_mug(stock=None)

        item = stock.receive(sku=mug.sku, quantity=7, reason="first pallet", actor="clerk")

        assert (item.on_hand, item.reserved, item.warehouse.is_default) == (7, 0, True)
        assert ledger(mug) == [("received", 7)]
        movement = StockMovement.objects.get(stock_item=item)
        assert (movement.reason, movement.actor) == ("first pallet", "clerk")

    def test_next_delivery_adds_to_it(self):
        mug = a_mug(stock=5)

        stock.receive(sku=mug.sku, quantity=7, reason="pallet", actor="clerk")

        assert stock_of(mug) == (12, 0)
        assert mug.stock.get().version == 1
        assert_stock_consistent([mug])

    def test_other_warehouse_has_a_stock_item_of_its_own(self):
        mug, attic = a_mug(stock=5), WarehouseFactory()

        stock.receive(sku=mug.sku, quantity=1, reason="found", actor="clerk", warehouse=attic)

        assert StockItem.objects.get(warehouse=attic).on_hand == 1
        assert stock_of(mug) == (6, 0)

    def test_takes_nothing_out(self):
        mug = a_mug(stock=5)
        before = StockSnapshot.now()

        with pytest.raises(ValueError, match="adjust"):
            stock.receive(sku=mug.sku, quantity=-1, reason="oops", actor="clerk")

        assert StockSnapshot.now() == before

    def test_of_an_unknown_sku_creates_nothing(self):
        with pytest.raises(UnknownSku):
            stock.receive(sku="NO-SUCH-THING", quantity=1, reason="pallet", actor="clerk")

        assert not StockItem.objects.exists()

    def test_default_warehouse_is_created_once(self):
        assert stock.default_warehouse() == stock.default_warehouse()
        assert Warehouse.objects.count() == 1


class TestAdjusting:
    def test_corrects_the_count_with_a_reason(self):
        mug = a_mug(stock=5)

        item = stock.adjust(sku=mug.sku, change=-2, reason="two broke", actor="clerk")

        assert (item.on_hand, item.reserved) == (3, 0)
        assert ledger(mug) == [("initial", 5), ("adjusted", -2)]

    def test_down_to_what_is_held_and_no_further(self):
        mug = a_mug(stock=5)
        HoldFactory(stock_item=mug.stock.get(), quantity=3)
        stock.adjust(sku=mug.sku, change=-2, reason="two broke", actor="clerk")
        before = StockSnapshot.now()

        with pytest.raises(WouldGoBelowReserved) as refused:
            stock.adjust(sku=mug.sku, change=-1, reason="one more", actor="clerk")

        assert (refused.value.on_hand, refused.value.reserved, refused.value.change) == (3, 3, -1)
        assert str(refused.value) == "3 on hand, 3 of them held: cannot change by -1"
        assert StockSnapshot.now() == before

    def test_refused_adjustment_creates_no_stock_item(self):
        mug = a_mug(stock=None)

        with pytest.raises(WouldGoBelowReserved):
            stock.adjust(sku=mug.sku, change=-1, reason="miscounted", actor="clerk")

        assert not StockItem.objects.filter(variant=mug).exists()

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_without_a_reason_is_refused(self, reason):
        mug = a_mug(stock=5)
        before = StockSnapshot.now()

        with pytest.raises(ValueError, match="reason"):
            stock.adjust(sku=mug.sku, change=1, reason=reason, actor="clerk")

        assert StockSnapshot.now() == before


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestClerksAtOnce:
    def test_corrections_and_deliveries_add_up(self):
        mug = a_mug(stock=50)

        def work(number: int) -> int:
            move = stock.receive if number % 2 else stock.adjust
            amount = {"quantity": 3} if number % 2 else {"change": -2}
            return move(sku=mug.sku, reason="count", actor="clerk", **amount).pk

        answers = at_once(10, work)

        assert set(answers) == {mug.stock.get().pk}
        assert stock_of(mug) == (50 + 5 * 3 - 5 * 2, 0)
        assert len(ledger(mug)) == 11
        assert_stock_consistent([mug])

    def test_last_unit_is_adjusted_away_once(self):
        mug = a_mug(stock=1)

        answers = at_once(
            6,
            lambda _: stock.adjust(sku=mug.sku, change=-1, reason="broke", actor="clerk").on_hand,
        )

        assert sorted(map(type, answers), key=str) == [WouldGoBelowReserved] * 5 + [int]
        assert stock_of(mug) == (0, 0)
        assert ledger(mug) == [("initial", 1), ("adjusted", -1)]

    def test_concurrent_first_deliveries_share_one_stock_item(self):
        mug = a_mug(stock=None)

        answers = at_once(
            6,
            lambda _: stock.receive(sku=mug.sku, quantity=1, reason="pallet", actor="clerk").pk,
        )

        assert len(set(answers)) == 1
        assert stock_of(mug) == (6, 0)


class TestWhatTheDatabaseRefuses:
    """Constraints and triggers: they hold also for code that does not go through `stock`."""

    @pytest.mark.parametrize("change", ["quantity = quantity + 1", "reason = 'tidier'"])
    def test_ledger_is_not_rewritten(self, change):
        mug = a_mug(stock=5)

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            execute(f"UPDATE inventory_stockmovement SET {change}")

        assert ledger(mug) == [("initial", 5)]

    def test_ledger_is_not_shortened(self):
        mug = a_mug(stock=5)

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            StockMovement.objects.filter(stock_item__variant=mug)._raw_delete("default")

        assert ledger(mug) == [("initial", 5)]

    @pytest.mark.parametrize(
        "broken", ["reserved = -1", "reserved = 6", "on_hand = 1", "on_hand = -1, reserved = -1"]
    )
    def test_reserved_stays_between_zero_and_on_hand(self, broken):
        mug = a_mug(stock=5)
        HoldFactory(stock_item=mug.stock.get(), quantity=2)

        with refused("stock_reserved_between_zero_and_on_hand"):
            execute(f"UPDATE inventory_stockitem SET {broken}")

        assert stock_of(mug) == (5, 2)

    def test_one_stock_item_per_variant_and_warehouse(self):
        item = a_mug(stock=5).stock.get()

        with refused("one_stock_item_per_variant_and_warehouse"):
            StockItem.objects.create(variant=item.variant, warehouse=item.warehouse)

    def test_one_default_warehouse(self):
        stock.default_warehouse()

        with refused("one_default_warehouse"):
            WarehouseFactory(is_default=True)

    @pytest.mark.parametrize("quantity", [0, -1])
    def test_hold_holds_something(self, quantity):
        item = a_mug(stock=5).stock.get()

        with refused("hold_quantity_positive"):
            HoldFactory(stock_item=item, quantity=quantity, counted=True)

        assert not Hold.objects.exists()

    @pytest.mark.parametrize(
        ("kind", "quantity"),
        [("confirmed", 1), ("confirmed", 0), ("received", -1), ("restocked", -1)],
    )
    def test_movement_has_the_sign_of_its_kind(self, kind, quantity):
        item = a_mug(stock=5).stock.get()

        with refused("movement_sign_fits_kind"):
            StockMovementFactory(stock_item=item, kind=kind, quantity=quantity)

    @pytest.mark.parametrize(("kind", "quantity"), [("confirmed", -1), ("restocked", 1)])
    def test_sale_leaves_on_hand_once_and_comes_back_once(self, kind, quantity):
        item, order_id = a_mug(stock=5).stock.get(), uuid4()
        StockMovementFactory(stock_item=item, kind=kind, quantity=quantity, order_id=order_id)

        with refused("one_sale_movement_per_order"):
            StockMovementFactory(stock_item=item, kind=kind, quantity=quantity, order_id=order_id)


class refused:
    """The database refuses by the constraint of this name, and the transaction goes on."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        self.atomic = transaction.atomic()

    def __enter__(self) -> None:
        self.atomic.__enter__()

    def __exit__(self, kind, error, trace) -> bool:
        self.atomic.__exit__(kind, error, trace)
        assert kind is IntegrityError, f"not refused: {error!r}"
        assert self.constraint in str(error), error
        return True


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
