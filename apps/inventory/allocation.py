"""Who gets what: first come, first served, each order whole or not at all. Pure; no database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    """All that one order asks for. A SKU that stands in it twice is asked for once, in sum."""

    order_id: UUID
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class ShortLine:
    """A line that cannot be held, and how many units are left for it."""

    sku: str
    available: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why an order got nothing."""

    lines: tuple[ShortLine, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What an order got: units by stock item."""

    units: Mapping[int, int]


@dataclass(slots=True)
class Shelf:
    """A stock item as it was read. `id` is the stock item's; rows come in order of preference."""

    id: int
    variant_id: int
    available: int
    version: int = 0
    taken: int = field(default=0)


def hand_out(
    shelves: Iterable[Shelf], requests: Iterable[ReserveRequest]
) -> list[Grant | Shortage]:
    """Give units out in the order of `requests`; `Shelf.taken` says what left each shelf.

    A line may be filled from several warehouses, preferred ones first. An order that does not fit
    takes nothing and leaves everything to those behind it.
    """
    by_variant: dict[int, list[Shelf]] = defaultdict(list)
    for shelf in shelves:
        by_variant[shelf.variant_id].append(shelf)
    answers: list[Grant | Shortage] = []
    for request in requests:
        short = []
        lines = _together(request.lines)
        for line in lines:
            left = sum(s.available - s.taken for s in by_variant[line.variant_id])
            if left < line.quantity:
                short.append(ShortLine(line.sku, max(left, 0)))
        if short:
            answers.append(Shortage(tuple(short)))
            continue
        units: dict[int, int] = {}
        for line in lines:
            wanted = line.quantity
            for shelf in by_variant[line.variant_id]:
                taking = min(wanted, shelf.available - shelf.taken)
                if taking > 0:
                    shelf.taken += taking
                    units[shelf.id] = taking
                    wanted -= taking
        answers.append(Grant(units))
    return answers


def _together(lines: tuple[Wanted, ...]) -> Iterable[Wanted]:
    # Two lines of one SKU looked at separately would each fit a stock that both together do not.
    if len({line.variant_id for line in lines}) == len(lines):
        return lines
    merged: dict[int, Wanted] = {}
    for line in lines:
        so_far = merged[line.variant_id].quantity if line.variant_id in merged else 0
        merged[line.variant_id] = Wanted(line.variant_id, line.sku, so_far + line.quantity)
    return merged.values()
