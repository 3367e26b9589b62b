"""The data of the stock gate: counts and passages in Redis, rebuilt from PostgreSQL.

    gate:left:<SKU>      units that may still be reserved; expires after COUNT_TIME
    gate:passage:<key>   this checkout was admitted once, and is admitted again
    gate:recalled:<SKU>  the passages of this SKU's orders were written; expires with its count
    gate:open            every checkout is admitted
    gate:store           a random mark by which a process recognises its Redis

A shopper who has bought the last unit and sends the same key again, because the answer was lost,
must not be told that it is sold out. So before a SKU is counted for the first time (its sale has
begun, Redis was emptied) the keys of its orders are written as passages. The keys of checkouts that
are running at that moment are in no table yet: a process that may have some of them, because Redis
was down or is not the one that it knew, opens the gate to all for OPEN_FOR first.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from apps.core.redis_client import OptionalRedis, RedisUnavailable
from apps.flash_sales import active_sales
from apps.inventory.stock import availability

logger = logging.getLogger(__name__)

REBUILD_EVERY = timedelta(seconds=1)  # by the first process that needs it
COUNT_TIME = timedelta(seconds=30)  # a count that is not rebuilt expires after this
PASSAGE_TIME = timedelta(hours=24)  # for as long as a client may retry a key
OPEN_FOR = timedelta(seconds=60)  # longer than a checkout takes, its commit included
OPEN, STORE = "gate:open", "gate:store"
WRITTEN_AT_ONCE = 5_000

redis = OptionalRedis("stock gate", lambda: settings.FLASH_SALES_REDIS_URL)

Recall = Callable[[Sequence[str], timedelta], Iterable[str]]
_recall: Recall = lambda _skus, _within: ()  # noqa: E731  (set by the orders' app)
_rebuild_at = 0.0  # by this process's clock; two threads may rebuild at once without harm
_store = ""  # the mark of the Redis that this process used last
_bypassed = False


def passage_of(key: str) -> str:
    """The Redis key of a checkout's passage."""
    return f"gate:passage:{key}"


def count_of(sku: str) -> str:
    """The Redis key of a SKU's count."""
    return f"gate:left:{sku}"


def _recalled_of(sku: str) -> str:
    return f"gate:recalled:{sku}"


def record_bypass() -> None:
    """A checkout went on while Redis was down, so it has no passage."""
    global _bypassed
    _bypassed = True


def forget() -> None:
    """Reset to the state of a process that has just started."""
    global _rebuild_at, _store, _bypassed
    _rebuild_at, _store, _bypassed = 0.0, "", False


def recall_with(recall: Recall) -> None:
    """Set the function that returns the keys of the orders of some SKUs.

    `recall(skus, within)`: keys of orders of the last `within`. It is set by the orders' app,
    because flash sales do not import orders.
    """
    global _recall
    _recall = recall


def rebuild(skus: Sequence[str]) -> None:
    """Write what PostgreSQL has for sale; for a new SKU first the passages of its orders.

    Does nothing while the gate is open. Raises RedisUnavailable.
    """
    if not skus or redis.ask(lambda client: client.exists(OPEN)):
        return
    known = redis.ask(lambda client: client.mget([_recalled_of(sku) for sku in skus]))
    new = [sku for sku, mark in zip(skus, known, strict=True) if mark is None]
    if new:
        _write((passage_of(key), 1, PASSAGE_TIME) for key in _recall(new, PASSAGE_TIME))
    # The mark expires with the counts: while not in use, orders may have bypassed the gate.
    _write((_recalled_of(sku), 1, COUNT_TIME) for sku in skus)
    _write((count_of(sku), units, COUNT_TIME) for sku, units in availability(skus).items())


def _write(entries: Iterable[tuple[str, int, timedelta]]) -> None:
    entries = iter(entries)
    while some := list(islice(entries, WRITTEN_AT_ONCE)):

        def write(client, some=some):  # type: ignore[no-untyped-def]
            with client.pipeline(transaction=False) as pipe:
                for name, value, kept in some:
                    pipe.set(name, value, px=kept)
                pipe.execute()

        redis.ask(write)


def _open_after_a_loss() -> None:
    """Open the gate for OPEN_FOR if checkouts may be running whose keys Redis does not have."""
    global _store, _bypassed

    def mark(client):  # type: ignore[no-untyped-def]
        with client.pipeline(transaction=True) as pipe:
            pipe.set(STORE, uuid4().hex, nx=True)
            pipe.get(STORE)
            return pipe.execute()[1]

    store = redis.ask(mark)
    if _bypassed or _store not in ("", store):
        redis.ask(lambda client: client.set(OPEN, 1, px=OPEN_FOR))
        logger.warning("the stock gate is open for %s: Redis was down or emptied", OPEN_FOR)
        _bypassed = False
    _store = store


def rebuild_when_due() -> None:
    """Rebuild at most every REBUILD_EVERY, in one process; the others use the counts there."""
    global _rebuild_at
    if time.monotonic() < _rebuild_at and not _bypassed:
        return
    _rebuild_at = time.monotonic() + REBUILD_EVERY.total_seconds()
    try:
        _open_after_a_loss()
        mine = redis.ask(lambda client: client.set("gate:rebuild", 1, nx=True, px=REBUILD_EVERY))
        if mine:
            rebuild([sku for sku, sale in active_sales.by_sku().items() if sale.stock_gate])
    except RedisUnavailable:
        pass
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the gate's counts were not rebuilt: %s", type(error).__name__)
