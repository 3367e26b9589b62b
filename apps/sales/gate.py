"""The stock gate: who comes too late hears "sold out" from Redis and never reaches PostgreSQL.

    gate.look(key, lines)                       a Shortage for who can be turned away at once
    passage = gate.take(key, lines)             a Passage, a Shortage, or None: no gate here
    gate.give_back(passage)                     no order came of it: the units are free again
    gate.was_sold_out(passage)                  PostgreSQL had fewer: the count was too high

A filter, never the truth. It lets through at most about what is left, and PostgreSQL decides among
those; it turns away only who asks for more than Redis counts. The count may be wrong in both
directions, and each is harmless:

- too high (an order outside the gate, a rebuild during a burst): PostgreSQL says no;
- too low (a process died between take and give_back, a cancelled order's units came back): rebuilt
  from PostgreSQL each second (gate_counts.py).

Lost counts (FLUSHALL, a restart) let everybody through until they are rebuilt. While Redis is away
everybody goes through, to PostgreSQL. All SKUs of a checkout are taken in one call, or none.

A key that has passed once passes again without taking more: its answer may have been lost, and the
intake replays it. (Somebody else's key gets one past the gate, and no further.)
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apps.inventory.allocation import Shortage, ShortLine
from apps.sales import gate_counts, on_sale
from apps.sales.gate_counts import OPEN, PASSAGE_TIME, count_of, passage_of
from storefront.quick_redis import Away

logger = logging.getLogger(__name__)

# KEYS: whether all may pass, the passage, then a count for each SKU. ARGV: how long a passage is
# kept, then quantities.
TAKE = """
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
# Only who still has the passage gives back, and only once. INCRBY keeps a count's time to live.
GIVE_BACK = """
    if redis.call('DEL', KEYS[1]) == 0 then return 0 end
    for i = 2, #KEYS do
        if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('INCRBY', KEYS[i], ARGV[i - 1]) end
    end
    return 1
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave to ask PostgreSQL. `takes` is false for a key that had passed before.

    `lines` are what was taken: none where nothing was counted.
    """

    name: str
    lines: tuple[tuple[str, int], ...]
    takes: bool


def look(key: str, lines: Sequence[tuple[str, int]]) -> Shortage | None:
    """What is short for a checkout that would be turned away; takes nothing, and may be None."""
    gated = _gated(lines)
    if not gated:
        return None
    gate_counts.rebuild_when_due()
    names = [OPEN, passage_of(key), *(count_of(sku) for sku, _ in gated)]
    try:
        is_open, passed, *left = gate_counts.redis.ask(
            lambda client: client.execute_command("MGET", *names)
        )
    except Away:
        return None
    if is_open is not None or passed is not None or None in left:
        return None
    short = _shortage(gated, left)
    return short if short.lines else None


def take(key: str, lines: Sequence[tuple[str, int]]) -> Passage | Shortage | None:
    """Take units of the gated SKUs among `lines` ((sku, quantity)) for the checkout `key`.

    None: no SKU of it is gated, or Redis is away; go on without the gate.
    """
    gated = _gated(lines)
    if not gated:
        return None
    gate_counts.rebuild_when_due()
    names = [OPEN, passage_of(key), *(count_of(sku) for sku, _ in gated)]
    try:
        answer, *left = gate_counts.redis.run(
            TAKE, names, [_ms(PASSAGE_TIME), *(quantity for _, quantity in gated)]
        )
    except Away:
        gate_counts.let_past()
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


def give_back(passage: Passage) -> None:
    """No order came of it. Harmless when it runs twice, or never."""
    _end(passage, [quantity for _, quantity in passage.lines])


def was_sold_out(passage: Passage) -> None:
    """PostgreSQL had less than was counted: what was taken stays off the count.

    Given back, it would let the next one through to the same answer.
    """
    _end(passage, [0 for _ in passage.lines])


def _end(passage: Passage, quantities: list[int]) -> None:
    if not passage.takes:
        return
    keys = [passage.name, *(count_of(sku) for sku, _ in passage.lines)]
    try:
        gate_counts.redis.run(GIVE_BACK, keys, quantities)
    except Away:
        logger.info("the gate's count is rebuilt without %s", passage.name)


def _gated(lines: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sales = on_sale.of(sku for sku, _ in lines)
    return tuple((sku, units) for sku, units in lines if sku in sales and sales[sku].stock_gate)


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
