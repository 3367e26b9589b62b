"""Which order gets which units: first come, first served, each order whole or not at all.

Pure functions over rows that were read before; no database. The strategies (strategies/) call
`allocate` and then write what it decided.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units of one SKU that an order asks for."""

    variant_id: int
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """All lines of one order. A SKU that appears in two lines counts as one line with the sum."""

    order_id: UUID
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class ShortLine:
    """A line that cannot be held, and how many units are left for it."""

    sku: str
    available: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """The order got nothing: these of its lines did not fit."""

    lines: tuple[ShortLine, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What an order got: units by stock item id."""

    units: Mapping[int, int]


@dataclass(slots=True)
class StockRow:
    """A stock item as it was read: `available` is `on_hand - reserved` at that moment.

    `id` is the stock item's. `sells_on`: it is sold beyond what is available (policy.py).
    `allocated` counts what `allocate` has given away of it.
    """

    id: int
    variant_id: int
    available: int
    version: int = 0
    sells_on: bool = False
    allocated: int = field(default=0)

    @property
    def left(self) -> int:
        return self.available - self.allocated


def allocate(
    rows: Iterable[StockRow], requests: Iterable[ReserveRequest]
) -> list[Grant | Shortage]:
    """One Grant or Shortage per request, in their order; adds to `StockRow.allocated`.

    `rows` come in order of preference (warehouse priority). A line may be filled from several
    warehouses. An order that does not fit takes nothing, and later requests may have its units.
    What sells on always fits: units that no warehouse has are owed by the preferred one.
    """
    by_variant: dict[int, list[StockRow]] = defaultdict(list)
    for row in rows:
        by_variant[row.variant_id].append(row)
    return [_allocate_order(by_variant, request) for request in requests]


def _allocate_order(
    by_variant: Mapping[int, list[StockRow]], request: ReserveRequest
) -> Grant | Shortage:
    lines = _one_line_per_sku(request.lines)
    short = []
    for line in lines:
        rows = by_variant[line.variant_id]
        left = sum(row.left for row in rows)
        if left < line.quantity and not any(row.sells_on for row in rows):
            short.append(ShortLine(line.sku, max(left, 0)))
    if short:
        return Shortage(tuple(short))
    units: dict[int, int] = {}
    for line in lines:
        units |= _allocate_line(by_variant[line.variant_id], line.quantity)
    return Grant(units)


def _allocate_line(rows: Sequence[StockRow], quantity: int) -> dict[int, int]:
    """Units by stock item id, for a line that fits."""
    units: dict[int, int] = {}
    missing = quantity
    for row in rows:
        part = min(missing, row.left)
        if part > 0:
            row.allocated += part
            units[row.id] = part
            missing -= part
    if missing:
        owing = next((row for row in rows if row.sells_on), None)
        if owing is None:
            raise RuntimeError(f"a line was let through of which {missing} units are missing")
        owing.allocated += missing
        units[owing.id] = units.get(owing.id, 0) + missing
    return units


def _one_line_per_sku(lines: tuple[Wanted, ...]) -> Sequence[Wanted]:
    # Two lines of one SKU that are checked separately would each fit a stock that is too small
    # for both together.
    if len({line.variant_id for line in lines}) == len(lines):
        return lines
    merged: dict[int, Wanted] = {}
    for line in lines:
        so_far = merged[line.variant_id].quantity if line.variant_id in merged else 0
        merged[line.variant_id] = Wanted(line.variant_id, line.sku, so_far + line.quantity)
    return list(merged.values())
