"""Which SKUs are in a flash sale now, from memory: every checkout needs to know.

Each process reads PostgreSQL at most every `READ_EVERY` seconds; a sale that is switched on or off
in the admin is known to all processes that much later. One thread reads, the others use what was
read before. When the database does not answer, that stays in use.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import DatabaseError, InterfaceError, connection

from apps.core.connections import drop_dead_connections

logger = logging.getLogger(__name__)

READ_EVERY = 2.0  # seconds

# A variant that is sold beyond what is there has no gate: there is nothing that could be sold out.
SALES = """
    SELECT v.sku, s.id, s.slug, s.name, s.stock_gate AND v.inventory_policy = 'deny',
           s.waiting_room, s.admit_per_second, extract(epoch FROM s.starts_at)::float8,
           extract(epoch FROM s.ends_at - now())::float8,
           extract(epoch FROM s.queue_opens_at)::float8,
           s.units_per_line, s.units_per_order, s.units_per_customer
    FROM flash_sales_flashsale s
    JOIN flash_sales_flashsale_variants sv ON sv.flashsale_id = s.id
    JOIN catalog_variant v ON v.id = sv.variant_id
    WHERE s.active AND s.ends_at > now() AND s.queue_opens_at <= now()
    ORDER BY s.starts_at, s.id
"""


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale whose queue is open. Moments are in seconds since 1970, by the database's clock.

    `ends_in`: seconds from the moment of reading. `units_per_…`: the sale's own limits, or None
    (limits.py).
    """

    id: int
    slug: str
    name: str
    stock_gate: bool
    waiting_room: bool
    admit_per_second: int
    starts_at: float
    ends_in: float
    queue_opens_at: float = 0.0
    units_per_line: int | None = None
    units_per_order: int | None = None
    units_per_customer: int | None = None


Sales = Mapping[str, Sale]
_NONE: Sales = MappingProxyType({})


class _Cache:
    """The sales as this process has read them, and when it reads again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sales: Sales = _NONE
        self._read_at = 0.0

    def sales(self) -> Sales:
        if time.monotonic() >= self._read_at and self._lock.acquire(blocking=False):
            try:
                self._sales = read()
            except (DatabaseError, InterfaceError) as error:
                logger.warning(
                    "flash sales not read, the earlier ones stay: %s", type(error).__name__
                )
            finally:
                self._read_at = time.monotonic() + READ_EVERY
                self._lock.release()
        return self._sales

    def forget(self) -> None:
        self._read_at = 0.0

    def assume_none(self, seconds: float) -> None:
        self._sales, self._read_at = _NONE, time.monotonic() + seconds


_cache = _Cache()


def by_sku() -> Sales:
    """The sale of each SKU that is in one; of two sales the one that started first."""
    return _cache.sales()


def of(skus: Iterable[str]) -> dict[str, Sale]:
    """The sales of those of `skus` that are in one."""
    sales = by_sku()
    return {sku: sales[sku] for sku in skus if sku in sales} if sales else {}


def forget() -> None:
    """Read again at the next call: this process has changed a sale, or a test begins."""
    _cache.forget()


def assume_none(*, seconds: float = READ_EVERY) -> None:
    """Use an empty list for `seconds`, as if it had just been read."""
    _cache.assume_none(seconds)


def read() -> Sales:
    """The sales whose queue is open, from PostgreSQL."""
    drop_dead_connections()  # may be called outside of Django's requests
    found: dict[str, Sale] = {}
    with connection.cursor() as cursor:
        cursor.execute(SALES)
        for sku, *columns in cursor.fetchall():
            found.setdefault(sku, Sale(*columns))
    return MappingProxyType(found)
