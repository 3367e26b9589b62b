"""What is for sale, and the ledger through which people change it."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from apps.catalog.models import Variant
from apps.inventory.models import StockItem, StockMovement, Warehouse
from storefront import prepared


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


def availability(skus: Iterable[str]) -> dict[str, int]:
    """Units for sale by SKU, over all warehouses, holds taken off; unknown SKUs are absent."""
    return dict(prepared.fetch(AVAILABLE, [list(skus)]))


def in_stock() -> Exists:
    """For a queryset of variants: whether anything of the variant can be bought now."""
    return Exists(StockItem.objects.filter(variant=OuterRef("pk"), on_hand__gt=F("reserved")))


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
    """Put `quantity` ≥ 0 units on the shelf, with a movement; makes the shelf when it is new."""
    if quantity < 0:
        raise ValueError("receive takes units in; adjust() takes them out")
    return _move(sku, quantity, kind, reason, actor, warehouse, order_id)


def adjust(
    *, sku: str, change: int, reason: str, actor: str, warehouse: Warehouse | None = None
) -> StockItem:
    """Correct the count by `change` units. Raises WouldGoBelowReserved; nothing moves then."""
    if not reason.strip():
        raise ValueError("an adjustment needs a reason")
    return _move(sku, change, StockMovement.Kind.ADJUSTED, reason, actor, warehouse, None)


def default_warehouse() -> Warehouse:
    """The warehouse that imports and plain receipts go to; made on first use."""
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
    variant = Variant.objects.filter(sku=sku).first()
    if variant is None:
        raise UnknownSku(sku)
    with transaction.atomic():
        item, _made = StockItem.objects.get_or_create(
            variant=variant, warehouse=warehouse or default_warehouse()
        )
        # One conditional statement: a hold taken in between is seen by the condition.
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
