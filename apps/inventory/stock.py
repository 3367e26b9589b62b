"""What is for sale, and changes of `on_hand` by people, each with a movement in the ledger."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.core import sql
from apps.inventory.models import StockItem, StockMovement, Warehouse


class UnknownSku(Exception):
    """No variant has this SKU."""


class WouldGoBelowReserved(Exception):
    """Units that running orders hold cannot be adjusted away."""

    def __init__(self, *, on_hand: int, reserved: int, change: int) -> None:
        super().__init__(
            f"{on_hand} on hand, {reserved} of them held: cannot change by {change:+d}"
        )
        self.on_hand, self.reserved, self.change = on_hand, reserved, change


AVAILABLE = """
    SELECT v.sku, coalesce(sum(s.on_hand - s.reserved), 0)::int
    FROM catalog_variant v LEFT JOIN inventory_stockitem s ON s.variant_id = v.id
    WHERE v.sku = ANY(%s) GROUP BY v.sku
"""

ON_HAND = """
    SELECT v.sku, sum(s.on_hand)::int
    FROM catalog_variant v JOIN inventory_stockitem s ON s.variant_id = v.id
    WHERE v.sku = ANY(%s) GROUP BY v.sku
"""

VARIANT = "SELECT id FROM catalog_variant WHERE sku = %s"


def availability(skus: Iterable[str]) -> dict[str, int]:
    """Units for sale by SKU, over all warehouses, holds taken off; unknown SKUs are absent."""
    return dict(sql.fetch(AVAILABLE, [list(skus)]))


def on_hand(skus: Iterable[str]) -> dict[str, int]:
    """`on_hand` by SKU, over all warehouses, held units included; SKUs without stock are absent."""
    return dict(sql.fetch(ON_HAND, [list(skus)]))


def receive(
    *,
    sku: str,
    quantity: int,
    reason: str,
    actor: str,
    kind: StockMovement.Kind = StockMovement.Kind.RECEIVED,
    warehouse: Warehouse | None = None,
    order_id: UUID | None = None,
) -> StockItem:
    """Add `quantity` ≥ 0 units to `on_hand`, with a movement; creates a missing stock item.

    Without `warehouse` they go to the default one. Raises UnknownSku.
    """
    if quantity < 0:
        raise ValueError("receive takes units in; adjust() takes them out")
    return _move(sku, quantity, kind, reason, actor, warehouse, order_id)


def adjust(
    *, sku: str, change: int, reason: str, actor: str, warehouse: Warehouse | None = None
) -> StockItem:
    """Correct `on_hand` by `change` units, positive or negative, with a movement.

    Raises UnknownSku, and WouldGoBelowReserved: nothing changes then.
    """
    if not reason.strip():
        raise ValueError("an adjustment needs a reason")
    return _move(sku, change, StockMovement.Kind.ADJUSTED, reason, actor, warehouse, None)


def default_warehouse() -> Warehouse:
    """The warehouse that imports and plain receipts go to; created on first use."""
    return Warehouse.objects.get_or_create(
        is_default=True, defaults={"code": "main", "name": "Main warehouse"}
    )[0]


def _move(
    sku: str,
    change: int,
    kind: StockMovement.Kind,
    reason: str,
    actor: str,
    warehouse: Warehouse | None,
    order_id: UUID | None,
) -> StockItem:
    found = sql.fetch(VARIANT, [sku])
    if not found:
        raise UnknownSku(sku)
    [(variant_id,)] = found
    with transaction.atomic():
        item, _made = StockItem.objects.get_or_create(
            variant_id=variant_id, warehouse=warehouse or default_warehouse()
        )
        # A conditional F-expression UPDATE: the condition sees a hold that was made in between.
        written = StockItem.objects.filter(pk=item.pk, on_hand__gte=F("reserved") - change).update(
            on_hand=F("on_hand") + change, version=F("version") + 1
        )
        if not written:
            item.refresh_from_db()
            raise WouldGoBelowReserved(on_hand=item.on_hand, reserved=item.reserved, change=change)
        StockMovement.objects.create(
            stock_item=item,
            kind=kind,
            quantity=change,
            reason=reason,
            actor=actor,
            order_id=order_id,
        )
    item.refresh_from_db()
    return item
