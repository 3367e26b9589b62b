"""Requests, reservations and assertions for the tests of stock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import transaction

from apps.catalog.models import Variant
from apps.inventory import holds
from apps.inventory.allocation import ReserveRequest, Shortage, Wanted
from apps.inventory.models import Hold, StockItem, StockMovement

A_WHILE = timedelta(minutes=15)


def wants(*lines: tuple[Variant, int], order_id: UUID | None = None) -> ReserveRequest:
    """The request of one order, e.g. `wants((mug, 2), (kettle, 1))`."""
    return ReserveRequest(
        order_id or uuid4(), tuple(Wanted(made.pk, made.sku, units) for made, units in lines)
    )


def reserve(*requests: ReserveRequest) -> list[Shortage | None]:
    """Reserve a batch in one transaction, as the intake does."""
    with transaction.atomic():
        return holds.reserve(list(requests), hold_time=A_WHILE)


def left(short: Shortage | None) -> dict[str, int]:
    """Units left by SKU, from the answer to a refused order."""
    assert short is not None, "the order was not refused"
    return {line.sku: line.available for line in short.lines}


def stock_of(variant: Variant) -> tuple[int, int]:
    """(on hand, reserved) over all warehouses."""
    items = StockItem.objects.filter(variant=variant)
    return sum(item.on_hand for item in items), sum(item.reserved for item in items)


def held_by(order_id: UUID) -> dict[int, int]:
    """Units that an order holds, by stock item, whatever the hold's state."""
    return dict(Hold.objects.filter(order_id=order_id).values_list("stock_item_id", "quantity"))


def states(order_id: UUID) -> set[str]:
    return set(Hold.objects.filter(order_id=order_id).values_list("state", flat=True))


def units_held(variant: Variant) -> int:
    """Σ of the active holds: what `reserved` must be."""
    found = Hold.objects.filter(stock_item__variant=variant, state=Hold.State.ACTIVE)
    return sum(found.values_list("quantity", flat=True))


def ledger(variant: Variant) -> list[tuple[str, int]]:
    found = StockMovement.objects.filter(stock_item__variant=variant).order_by("created_at", "id")
    return list(found.values_list("kind", "quantity"))


@dataclass(frozen=True)
class StockSnapshot:
    """Counts, holds and movements at one moment, to show that nothing changed."""

    items: tuple[tuple[int, int, int], ...]
    holds: tuple[tuple[UUID, int, int, str], ...]
    movements: int

    @classmethod
    def now(cls) -> "StockSnapshot":
        return cls(
            tuple(StockItem.objects.order_by("pk").values_list("pk", "on_hand", "reserved")),
            tuple(
                Hold.objects.order_by("pk").values_list(
                    "order_id", "stock_item_id", "quantity", "state"
                )
            ),
            StockMovement.objects.count(),
        )


def assert_stock_consistent(variants: Iterable[Variant]) -> None:
    """Invariants 1 to 3 of each of `variants`."""
    for variant in variants:
        variant.refresh_from_db(fields=["inventory_policy"])
        for item in StockItem.objects.filter(variant=variant):
            assert item.reserved >= 0
            assert item.sells_on == (variant.inventory_policy != "deny")
            if not item.sells_on:
                assert item.reserved <= item.on_hand
        on_hand, reserved = stock_of(variant)
        assert reserved == units_held(variant)
        assert on_hand == sum(quantity for _, quantity in ledger(variant))
