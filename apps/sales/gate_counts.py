"""What the stock gate goes by: counts and passages in Redis, rebuilt from PostgreSQL.

    gate:left:<SKU>      units that may still be taken; believed for COUNT_TIME
    gate:passage:<key>   this checkout has passed once, and passes again
    gate:recalled:<SKU>  the passages of this SKU's orders are there; as old as its count
    gate:open            everybody passes
    gate:store           a mark by which a process knows its Redis again

Whoever has bought the last unit, and asks again because she was not answered, must not hear that it
is sold out. So before a SKU is counted for the first time (its sale has begun, Redis was emptied)
the keys of its orders are made passages. Those that are on their way in that moment are in no
table: a process that may have some of them, because Redis was away or is not the one that it knew,
opens the gate to all for OPEN_FOR first.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from apps.inventory.stock import availability
from apps.sales import on_sale
from storefront.quick_redis import Away, QuickRedis

logger = logging.getLogger(__name__)

REBUILD_EVERY = timedelta(seconds=1)  # by whichever process asks first
COUNT_TIME = timedelta(seconds=30)  # a count that nobody rebuilds is not believed for longer
PASSAGE_TIME = timedelta(hours=24)  # as long as a client may reasonably retry a key
OPEN_FOR = timedelta(seconds=60)  # more than a checkout can take, its commit included
OPEN, STORE = "gate:open", "gate:store"
WRITTEN_AT_ONCE = 5_000

redis = QuickRedis("stock gate", lambda: settings.SALES_REDIS_URL)

Recall = Callable[[Sequence[str], timedelta], Iterable[str]]
_recall: Recall = lambda _skus, _within: ()  # noqa: E731  (until the orders' app says how)
_rebuild_at = 0.0  # by this process's clock; two threads that rebuild at once do no harm
_store = ""  # the mark of the Redis that this process has asked
_let_past = False


def passage_of(key: str) -> str:
    return f"gate:passage:{key}"


def count_of(sku: str) -> str:
    return f"gate:left:{sku}"


def _recalled_of(sku: str) -> str:
    return f"gate:recalled:{sku}"


def let_past() -> None:
    """Somebody went on while Redis was away, and no passage says so."""
    global _let_past
    _let_past = True


def forget() -> None:
    """Know nothing of any Redis, as a process that has just started."""
    global _rebuild_at, _store, _let_past
    _rebuild_at, _store, _let_past = 0.0, "", False


def recall_with(recall: Recall) -> None:
    """Have the keys of the orders of some SKUs, within a time until now, told by `recall`."""
    global _recall
    _recall = recall


def rebuild(skus: Sequence[str]) -> None:
    """Count again what PostgreSQL has for sale; first, once, who has bought of it. Raises Away."""
    if not skus or redis.ask(lambda client: client.exists(OPEN)):
        return
    known = redis.ask(lambda client: client.mget([_recalled_of(sku) for sku in skus]))
    new = [sku for sku, mark in zip(skus, known, strict=True) if mark is None]
    if new:
        _write((passage_of(key), 1, PASSAGE_TIME) for key in _recall(new, PASSAGE_TIME))
    # The mark goes with the counts: where nobody asked for a while, orders went past the gate.
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
    """Let all pass for a while, when orders may be under way whose keys Redis does not know."""
    global _store, _let_past

    def mark(client):  # type: ignore[no-untyped-def]
        with client.pipeline(transaction=True) as pipe:
            pipe.set(STORE, uuid4().hex, nx=True)
            pipe.get(STORE)
            return pipe.execute()[1]

    store = redis.ask(mark)
    if _let_past or _store not in ("", store):
        redis.ask(lambda client: client.set(OPEN, 1, px=OPEN_FOR))
        logger.warning("the stock gate is open for %s: Redis was away or emptied", OPEN_FOR)
        _let_past = False
    _store = store


def rebuild_when_due() -> None:
    """By whichever process asks first; the others go by the count that is there."""
    global _rebuild_at
    if time.monotonic() < _rebuild_at and not _let_past:
        return
    _rebuild_at = time.monotonic() + REBUILD_EVERY.total_seconds()
    try:
        _open_after_a_loss()
        mine = redis.ask(lambda client: client.set("gate:rebuild", 1, nx=True, px=REBUILD_EVERY))
        if mine:
            rebuild([sku for sku, sale in on_sale.by_sku().items() if sale.stock_gate])
    except Away:
        pass
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the gate's counts are as they were: %s", type(error).__name__)
