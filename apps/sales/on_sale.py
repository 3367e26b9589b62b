"""Which SKUs stand in a flash sale now: asked by every checkout, so answered from memory.

Each process looks into PostgreSQL every `LOOK_EVERY` seconds at most; a sale that is switched on or
off in the admin is known everywhere that much later. One thread looks, the others go by what was
known before. A database that does not answer leaves things as they were.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import DatabaseError, InterfaceError, connection

from storefront.connections import drop_dead_connections

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds

SALES = """
    SELECT v.sku, s.id, s.slug, s.name, s.stock_gate, s.waiting_room, s.admit_per_second,
           extract(epoch FROM s.starts_at)::float8, extract(epoch FROM s.ends_at - now())::float8
    FROM sales_flashsale s
    JOIN sales_flashsale_variants sv ON sv.flashsale_id = s.id
    JOIN catalog_variant v ON v.id = sv.variant_id
    WHERE s.active AND s.ends_at > now() AND s.doors_at <= now()
    ORDER BY s.starts_at, s.id
"""


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale whose doors are open. `starts_at` in seconds since 1970, by the database's clock."""

    id: int
    slug: str
    name: str
    stock_gate: bool
    waiting_room: bool
    admit_per_second: int
    starts_at: float
    ends_in: float


Sales = Mapping[str, Sale]
_NONE: Sales = MappingProxyType({})


class _Known:
    """What this process knows, and when it looked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sales: Sales = _NONE
        self._look_at = 0.0

    def sales(self) -> Sales:
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._sales = look()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("flash sales as known before: %s", type(error).__name__)
            finally:
                self._look_at = time.monotonic() + LOOK_EVERY
                self._lock.release()
        return self._sales

    def forget(self) -> None:
        self._look_at = 0.0

    def assume_none(self, seconds: float) -> None:
        self._sales, self._look_at = _NONE, time.monotonic() + seconds


_known = _Known()


def by_sku() -> Sales:
    """The sale of each SKU that stands in one; of two sales the one that started first."""
    return _known.sales()


def of(skus: Iterable[str]) -> dict[str, Sale]:
    """Those of `skus` that stand in a sale."""
    sales = by_sku()
    return {sku: sales[sku] for sku in skus if sku in sales} if sales else {}


def forget() -> None:
    """Look again at the next question: a sale was changed here, or a test begins."""
    _known.forget()


def assume_none(*, seconds: float = LOOK_EVERY) -> None:
    """Go on for `seconds` as a process does that has looked and found nothing."""
    _known.assume_none(seconds)


def look() -> Sales:
    """The sales whose doors are open, from PostgreSQL."""
    drop_dead_connections()  # it may be asked outside of Django's requests
    found: dict[str, Sale] = {}
    with connection.cursor() as cursor:
        cursor.execute(SALES)
        for sku, *columns in cursor.fetchall():
            found.setdefault(sku, Sale(*columns))
    return MappingProxyType(found)
