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
  from PostgreSQL every `REBUILD_EVERY` seconds, by whichever process asks first.

Lost counts (FLUSHALL, a restart) let everybody through until they are rebuilt. While Redis is away
everybody goes through, to PostgreSQL.

A key that has taken units once passes again without taking more: its answer may have been lost, and
the intake replays it. (Somebody else's key gets one past the gate, and no further.) All SKUs of a
checkout are taken in one call, or none.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from apps.inventory.allocation import Shortage, ShortLine
from apps.inventory.stock import availability
from apps.sales import on_sale
from storefront.quick_redis import Away, QuickRedis

logger = logging.getLogger(__name__)

REBUILD_EVERY = timedelta(seconds=1)
COUNT_TIME = timedelta(seconds=30)  # a count that nobody rebuilds is not believed for longer
PASSAGE_TIME = timedelta(hours=24)  # as long as a client may reasonably retry a key

# KEYS: the passage, then a count for each SKU. ARGV: how long a passage is kept, then quantities.
TAKE = """
    if redis.call('EXISTS', KEYS[1]) == 1 then return {'again'} end
    local left, short = {}, false
    for i = 2, #KEYS do
        local count = redis.call('GET', KEYS[i])
        if not count then return {'unknown'} end
        left[i - 1] = tonumber(count)
        if left[i - 1] < tonumber(ARGV[i]) then short = true end
    end
    if short then
        local answer = {'short'}
        for i = 1, #left do answer[i + 1] = left[i] end
        return answer
    end
    for i = 2, #KEYS do redis.call('DECRBY', KEYS[i], ARGV[i]) end
    redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
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

_redis = QuickRedis("stock gate", lambda: settings.SALES_REDIS_URL)
_rebuild_at = 0.0  # by this process's clock; two threads that rebuild at once do no harm


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave to ask PostgreSQL. `takes` is false for a key that had passed before."""

    name: str
    lines: tuple[tuple[str, int], ...]
    takes: bool


def look(key: str, lines: Sequence[tuple[str, int]]) -> Shortage | None:
    """What is short for a checkout that would be turned away; takes nothing, and may be None."""
    gated = _gated(lines)
    if not gated:
        return None
    _rebuild_when_due()
    names = [_passage(key), *(_count(sku) for sku, _ in gated)]
    try:
        passed, *left = _redis.ask(lambda client: client.execute_command("MGET", *names))
    except Away:
        return None
    if passed is not None or None in left:
        return None
    short = _shortage(gated, left)
    return short if short.lines else None


def take(key: str, lines: Sequence[tuple[str, int]]) -> Passage | Shortage | None:
    """Take units of the gated SKUs among `lines` ((sku, quantity)) for the checkout `key`.

    None: no SKU of it is gated, or the gate cannot tell; go on without it.
    """
    gated = _gated(lines)
    if not gated:
        return None
    _rebuild_when_due()
    names = [_passage(key), *(_count(sku) for sku, _ in gated)]
    try:
        answer, *left = _redis.run(
            TAKE, names, [_ms(PASSAGE_TIME), *(quantity for _, quantity in gated)]
        )
    except Away:
        return None
    if answer == "short":
        return _shortage(gated, left)
    return None if answer == "unknown" else Passage(names[0], gated, takes=answer == "taken")


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
    keys = [passage.name, *(_count(sku) for sku, _ in passage.lines)]
    try:
        _redis.run(GIVE_BACK, keys, quantities)
    except Away:
        logger.info("the gate's count is rebuilt without %s", passage.name)


def rebuild(skus: Iterable[str]) -> None:
    """Count again what PostgreSQL has for sale. Raises Away."""
    counts = availability(skus)

    def write(client):  # type: ignore[no-untyped-def]
        with client.pipeline(transaction=False) as pipe:
            for sku, units in counts.items():
                pipe.set(_count(sku), units, px=COUNT_TIME)
            pipe.execute()

    _redis.ask(write)


def _rebuild_when_due() -> None:
    """By whichever process asks first; the others go by the count that is there."""
    global _rebuild_at
    if time.monotonic() < _rebuild_at:
        return
    _rebuild_at = time.monotonic() + REBUILD_EVERY.total_seconds()
    try:
        mine = _redis.ask(lambda client: client.set("gate:rebuild", 1, nx=True, px=REBUILD_EVERY))
        if mine:
            rebuild([sku for sku, sale in on_sale.by_sku().items() if sale.stock_gate])
    except Away:
        pass
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the gate's counts are as they were: %s", type(error).__name__)


def _gated(lines: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sales = on_sale.of(sku for sku, _ in lines)
    return tuple((sku, units) for sku, units in lines if sku in sales and sales[sku].stock_gate)


def _passage(key: str) -> str:
    return f"gate:passage:{key}"


def _count(sku: str) -> str:
    return f"gate:left:{sku}"


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
