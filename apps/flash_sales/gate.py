"""The stock gate: a checkout of a sold-out SKU is refused by Redis and never reaches PostgreSQL.

    passage = gate.reserve(key, lines)    a Passage, a Shortage, or None: no gate applies
    gate.release(passage)                 no order was made: its units are free again
    gate.record_sold_out(passage)         PostgreSQL had fewer units than the gate counted

The gate is a filter and never decides that a unit is sold. It admits about as many checkouts as
there are units, and PostgreSQL decides among those; it refuses only a checkout that asks for more
than Redis counts. The count may be wrong in both directions, without harm:

- too high (an order outside the gate, a rebuild during a burst): PostgreSQL refuses;
- too low (a process died between reserve and release, the units of a cancelled order are back):
  rebuilt from PostgreSQL each second (gate_counts.py).

When the counts are lost (FLUSHALL, a restart) every checkout is admitted until they are rebuilt;
while Redis is down every checkout goes to PostgreSQL. All SKUs of a checkout are reserved in one
call, or none.

A key that was admitted once is admitted again and reserves nothing more: its answer may have been
lost, and the intake replays it. (Another shopper's key passes the gate, and gets nothing after it.)
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apps.core.redis_client import RedisUnavailable
from apps.flash_sales import active_sales, gate_counts
from apps.flash_sales.gate_counts import (
    OPEN,
    PASSAGE_TIME,
    count_of,
    passage_of,
)
from apps.inventory.allocation import Shortage, ShortLine

logger = logging.getLogger(__name__)

# KEYS: the key that opens the gate to all, the passage, then a count for each SKU. ARGV: how long a
# passage is kept (ms), then quantities. Returns short and what is left, or taken, uncounted, again.
RESERVE = """
    if redis.call('EXISTS', KEYS[2]) == 1 then return {'again'} end
    local left, short, unknown = {}, false, redis.call('EXISTS', KEYS[1]) == 1
    for i = 3, #KEYS do
        local count = redis.call('GET', KEYS[i])
        if not count then
            unknown = true
        else
            left[i - 2] = tonumber(count)
            if left[i - 2] < tonumber(ARGV[i - 1]) then short = true end
        end
    end
    if short and not unknown then
        local answer = {'short'}
        for i = 1, #left do answer[i + 1] = left[i] end
        return answer
    end
    redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
    if unknown then return {'uncounted'} end
    for i = 3, #KEYS do redis.call('DECRBY', KEYS[i], ARGV[i - 1]) end
    return {'taken'}
"""
# Deleting the passage makes sure that it is released once. INCRBY keeps a count's time to live.
RELEASE = """
    if redis.call('DEL', KEYS[1]) == 0 then return 0 end
    for i = 2, #KEYS do
        if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('INCRBY', KEYS[i], ARGV[i - 1]) end
    end
    return 1
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """Permission to go on to PostgreSQL. `takes` is False for a key that was admitted before.

    `lines` ((sku, quantity)) is what was reserved: empty where the counts were missing.
    """

    name: str
    lines: tuple[tuple[str, int], ...]
    takes: bool


def reserve(key: str, lines: Sequence[tuple[str, int]]) -> Passage | Shortage | None:
    """Reserve units of the gated SKUs among `lines` ((sku, quantity)) for the checkout `key`.

    None: none of its SKUs is gated, or Redis is down; go on without the gate.
    """
    gated = _gated(lines)
    if not gated:
        return None
    gate_counts.rebuild_when_due()
    names = [OPEN, passage_of(key), *(count_of(sku) for sku, _ in gated)]
    try:
        answer, *left = gate_counts.redis.run(
            RESERVE, names, [_ms(PASSAGE_TIME), *(quantity for _, quantity in gated)]
        )
    except RedisUnavailable:
        gate_counts.record_bypass()
        return None
    if answer == "short":
        return _shortage(gated, left)
    taken = () if answer == "uncounted" else gated
    return Passage(passage_of(key), taken, takes=answer != "again")


def _shortage(gated: Sequence[tuple[str, int]], left: Sequence[int]) -> Shortage:
    return Shortage(
        tuple(
            ShortLine(sku, max(0, int(units)))
            for (sku, quantity), units in zip(gated, left, strict=True)
            if int(units) < quantity
        )
    )


def release(passage: Passage) -> None:
    """Free the units: no order was made. A second call, or a missing one, does no harm."""
    _end(passage, [quantity for _, quantity in passage.lines])


def record_sold_out(passage: Passage) -> None:
    """End the passage and keep its units off the count: PostgreSQL had fewer than was counted.

    If they were released, the next checkout would be admitted and get the same refusal.
    """
    _end(passage, [0 for _ in passage.lines])


def _end(passage: Passage, quantities: list[int]) -> None:
    if not passage.takes:
        return
    keys = [passage.name, *(count_of(sku) for sku, _ in passage.lines)]
    try:
        gate_counts.redis.run(RELEASE, keys, quantities)
    except RedisUnavailable:
        logger.info("not released, the rebuild corrects the count: %s", passage.name)


def _gated(lines: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sales = active_sales.of(sku for sku, _ in lines)
    return tuple((sku, units) for sku, units in lines if sku in sales and sales[sku].stock_gate)


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
