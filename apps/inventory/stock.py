"""What is for sale, and changes of `on_hand` by people, each with a movement in the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from apps.core import sql
from apps.inventory.models import StockItem, StockMovement, Warehouse
from apps.inventory.policy import Policy

# Units for sale of what sells on: more than any order can ask for.
ENDLESS = 1_000_000

REASON_MAX = 255  # characters of a movement's reason


class UnknownSku(Exception):
    """No variant has this SKU."""


class WouldGoBelowReserved(Exception):
    """Units that running orders hold cannot be adjusted away where selling ends with the count."""

    def __init__(self, *, on_hand: int, reserved: int, change: int) -> None:
        super().__init__(
            f"{on_hand} on hand, {reserved} of them held: cannot change by {change:+d}"
        )
        self.on_hand, self.reserved, self.change = on_hand, reserved, change


class CountedMeanwhile(Exception):
    """Another correction of the count was made since this one was begun."""

    def __init__(self, *, on_hand: int) -> None:
        super().__init__(f"counted or adjusted meanwhile, {on_hand} on hand now")
        self.on_hand = on_hand


@dataclass(frozen=True, slots=True)
class Seen:
    """What a count is compared with: the books as they were when it was begun.

    corrections: how many counts and adjustments the ledger had of this stock item.
    """

    on_hand: int
    corrections: int


# A variant without a stock item is sold from nowhere, whatever its policy: deny.
LEVELS = """
    SELECT v.sku, coalesce(sum(s.on_hand), 0)::int, coalesce(sum(s.reserved), 0)::int,
           CASE WHEN bool_or(s.sells_on) THEN v.inventory_policy ELSE 'deny' END
    FROM catalog_variant v LEFT JOIN inventory_stockitem s ON s.variant_id = v.id
    WHERE v.sku = ANY(%(listed)s::text[]) GROUP BY v.sku, v.inventory_policy
"""

VARIANT = "SELECT id FROM catalog_variant WHERE sku = %s"


@dataclass(frozen=True, slots=True)
class Level:
    """The stock of a SKU over all warehouses, in units. `on_hand` below zero is owed."""

    on_hand: int = 0
    reserved: int = 0
    policy: str = Policy.DENY

    @property
    def sells_on(self) -> bool:
        """Whether it is sold beyond what is there."""
        return self.policy != Policy.DENY

    @property
    def for_sale(self) -> int:
        """Units that can be bought now: ENDLESS of what sells on."""
        return ENDLESS if self.sells_on else max(self.on_hand - self.reserved, 0)

    def back_ordered(self, quantity: int) -> int:
        """How many of `quantity` units that are bought now are not there yet, and ship later."""
        if self.policy != Policy.CONTINUE:
            return 0
        return max(quantity - max(self.on_hand - self.reserved, 0), 0)


def levels(skus: Iterable[str]) -> dict[str, Level]:
    """The stock by SKU; unknown SKUs are absent, those without a stock item have a Level of 0."""
    asked = list(skus)
    return {
        sku: Level(on_hand, reserved, policy)
        for sku, on_hand, reserved, policy in (sql.fetch_listed(LEVELS, asked) if asked else ())
    }


def availability(skus: Iterable[str]) -> dict[str, int]:
    """Units that can be bought now by SKU (`Level.for_sale`); unknown SKUs are absent."""
    return {sku: level.for_sale for sku, level in levels(skus).items()}


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

    Raises UnknownSku, and WouldGoBelowReserved (not where it sells on): nothing changes then.
    """
    if not reason.strip():
        raise ValueError("an adjustment needs a reason")
    return _move(sku, change, StockMovement.Kind.ADJUSTED, reason, actor, warehouse, None)


def open_count(*, sku: str, counted: int, reason: str, actor: str) -> StockItem:
    """The first count of a SKU, in the default warehouse, with a movement.

    Below zero it is a debt: units that are sold and not there. Raises UnknownSku, and
    WouldGoBelowReserved for a debt of what does not sell on.
    """
    kind = StockMovement.Kind.INITIAL if counted >= 0 else StockMovement.Kind.ADJUSTED
    return _move(sku, counted, kind, reason, actor, None, None)


def seen_now(items: Iterable[StockItem]) -> dict[int, Seen]:
    """By id, what a count of these stock items that is begun now is compared with."""
    by_id = {item.pk: item.on_hand for item in items}
    made = _corrections().filter(stock_item__in=by_id).values_list("stock_item")
    corrections = dict(made.annotate(n=Count("pk")).order_by())
    return {pk: Seen(on_hand, corrections.get(pk, 0)) for pk, on_hand in by_id.items()}


def count(item: StockItem, *, counted: int, seen: Seen, reason: str, actor: str) -> StockItem:
    """Correct `on_hand` by what was counted on the shelf, with a movement, also when it is right.

    The change is `counted` less the units that should be there: those that were sold or have
    arrived since the count was begun are neither undone nor booked twice. Where units are owed
    none should be there, and an empty shelf is no reason to forget the debt. Another correction in
    between has the same difference in it, so this one is refused: CountedMeanwhile. Raises
    WouldGoBelowReserved, too. Nothing changes then.
    """
    if counted < 0:
        raise ValueError("a count cannot be below zero")
    with transaction.atomic():
        # Locked before the ledger is read: else two equal counts are both booked.
        locked = StockItem.objects.select_for_update(no_key=True).get(pk=item.pk)
        if _corrections().filter(stock_item=locked).count() != seen.corrections:
            raise CountedMeanwhile(on_hand=locked.on_hand)
        text = f"counted {counted}, {seen.on_hand} in the books: {reason}"[:REASON_MAX]
        change = counted - max(0, seen.on_hand)
        _book(locked, change, StockMovement.Kind.ADJUSTED, text, actor, None)
    locked.refresh_from_db()
    return locked


def _corrections() -> QuerySet[StockMovement]:
    return StockMovement.objects.filter(kind=StockMovement.Kind.ADJUSTED)


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
        _book(item, change, kind, reason, actor, order_id)
    item.refresh_from_db()
    return item


def _book(
    item: StockItem,
    change: int,
    kind: StockMovement.Kind,
    reason: str,
    actor: str,
    order_id: UUID | None,
) -> None:
    """Change `on_hand` and write the movement, in the caller's transaction."""
    # A conditional F-expression UPDATE: the condition sees a hold that was made in between.
    # What sells on may be owed; units that come in then fill the debt first.
    written = (
        StockItem.objects.filter(pk=item.pk)
        .filter(Q(on_hand__gte=F("reserved") - change) | Q(sells_on=True))
        .update(on_hand=F("on_hand") + change, version=F("version") + 1)
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
