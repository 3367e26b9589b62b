"""Catalog data in Redis for five minutes: dropped on change, one filler per key under load.

"Page" below means one cached value. What this module guarantees:

- A page that changed is not used again. Each key has a stamp, and so has the whole catalog. A
  change renews the stamp after commit, and a stored page is valid only with the stamps that were
  read *before* it was made. Without that, a filler that read the old row and wrote after the drop
  would put the old page back for five minutes.
- One filler per key. The first request that finds nothing takes a short lock. The others wait for
  the result or, when the page is only past its five minutes, use it once more.
- Redis down, frozen or full means a slower page, never an error: the database is read instead, and
  for a few seconds this process sends nothing to Redis.

Nothing here protects stock or money: two fillers at once cost a query, no more.
"""

import logging
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from apps.core.redis_client import thread_client

log = logging.getLogger(__name__)

FRESH = timedelta(minutes=5)
STALE = timedelta(minutes=1)  # added to FRESH: a page may still be used during a refill
MISSING = timedelta(seconds=2)  # for absent pages: short, or invented slugs would fill Redis
STAMP_TIME = 2 * (FRESH + STALE)  # longer than any page stored before the stamp was set
LOCK_TIME = timedelta(seconds=5)  # a filler that died is replaced after this
WAIT = timedelta(seconds=2)  # longer than any normal fill; after it each request reads the database
PAUSE_AFTER_ERROR = timedelta(seconds=3)

PREFIX = "catalog:"
EVERYTHING = PREFIX + "stamp"
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"

T = TypeVar("T")

_unavailable_until = 0.0
_drop_failed = False


class _Unavailable(Exception):
    """Redis does not answer; continue without it."""


@dataclass(frozen=True)
class _Key:
    kind: str
    name: str

    @property
    def page(self) -> str:
        return f"{PREFIX}{self.kind}:{self.name}"

    @property
    def stamp(self) -> str:
        return f"{self.page}:stamp"

    @property
    def lock(self) -> str:
        return f"{self.page}:lock"


@dataclass(frozen=True)
class _Found:
    stamps: list[str]
    page: Any
    is_there: bool
    is_fresh: bool


def remembered(
    kind: str,
    name: str,
    *,
    fill: Callable[[], T | None],
    decode: Callable[[Any], T],
    fresh: timedelta = FRESH,
) -> T | None:
    """The page `name`, from Redis or from `fill` (run once for any number of callers).

    `fill` returns a dataclass, list or dict that orjson can write, or None when there is no such
    page; `decode` makes the same of the parsed JSON. The page is filled again after `fresh`, at
    most FRESH: a longer-lived page would outlive the stamp that invalidates it.
    """
    key = _Key(kind, name)
    deadline = time.monotonic() + WAIT.total_seconds()
    token = secrets.token_hex(8)
    while True:
        try:
            found = _read(key)
            if found.is_there and found.is_fresh:
                return _decoded(found, decode)
            if _lock(key, token):
                break
        except _Unavailable:
            return fill()
        if found.is_there:
            return _decoded(found, decode)
        if time.monotonic() > deadline:
            log.warning("no process filled %s in time; reading the database", key.page)
            return fill()
        time.sleep(random.uniform(0.005, 0.025))
    try:
        return _fill(key, fill, decode, fresh)
    finally:
        _unlock(key, token)


def raw_pages(*pages: tuple[str, str]) -> tuple[bytes | None, ...] | None:
    """The undecoded `pages`, (kind, name) each, and their stamps; one round trip to Redis.

    For callers that keep what they made of a page and need to know only whether it is still the
    same: equal results mean equal pages. None when one is missing or past its five minutes, or
    Redis is unavailable: then call `remembered`, which fills.
    """
    keys = [_Key(kind, name) for kind, name in pages]
    names = [name for key in keys for name in (key.page, key.stamp)]
    if _drop_failed:
        return None
    try:
        found, *left = _run(
            lambda _: thread_client(settings.CACHES["default"]["LOCATION"]).execute_together(
                ("MGET", *names, EVERYTHING), *(("PTTL", key.page) for key in keys)
            )
        )
    except _Unavailable:
        return None
    fresh = all(milliseconds > STALE.total_seconds() * 1000 for milliseconds in left)
    return tuple(found) if fresh else None


def forget(kind: str, name: str) -> None:
    """Drop one page. Call after commit, or a filler reads the old row once more."""
    key = _Key(kind, name)
    _drop(key.stamp, key.page)


def forget_everything() -> None:
    """Drop every page of the catalog at once."""
    _drop(EVERYTHING)


def _fill(
    key: _Key, fill: Callable[[], T | None], decode: Callable[[Any], T], fresh: timedelta
) -> T | None:
    try:
        # Another filler may have finished between the read and the lock.
        found = _read(key)
    except _Unavailable:
        return fill()
    if found.is_there and found.is_fresh:
        return _decoded(found, decode)
    made = fill()
    keep = MISSING if made is None else fresh + STALE
    packed = orjson.dumps([found.stamps, made])
    try:
        _run(lambda redis: redis.set(key.page, packed, px=keep))
    except _Unavailable:
        log.info("Redis is away; %s stays unfilled", key.page)
    return made


def _decoded(found: _Found, decode: Callable[[Any], T]) -> T | None:
    return None if found.page is None else decode(found.page)


def _read(key: _Key) -> _Found:
    def read(redis: Any) -> Any:
        with redis.pipeline(transaction=False) as pipe:
            pipe.mget(key.page, key.stamp, EVERYTHING)
            pipe.pttl(key.page)
            return pipe.execute()

    if _drop_failed:
        _drop_everything_after_failure()
    (packed, *stamps), milliseconds_left = _run(read)
    now = [(stamp or b"").decode() for stamp in stamps]
    try:
        then, page = orjson.loads(packed) if packed else ([], None)
    except (orjson.JSONDecodeError, ValueError, TypeError):
        then, page = [], None  # written by another version of the code
    # By Redis's clock: the clocks of the web machines may differ.
    is_fresh = page is None or milliseconds_left > STALE.total_seconds() * 1000
    return _Found(stamps=now, page=page, is_there=then == now, is_fresh=is_fresh)


def _lock(key: _Key, token: str) -> bool:
    return bool(_run(lambda redis: redis.set(key.lock, token, nx=True, px=LOCK_TIME)))


def _unlock(key: _Key, token: str) -> None:
    try:
        _run(lambda redis: redis.eval(UNLOCK, 1, key.lock, token))
    except _Unavailable:
        log.info("Redis is away; the lock of %s runs out by itself", key.page)


def _drop(stamp: str, *pages: str) -> None:
    global _drop_failed

    def write(redis: Any) -> Any:
        with redis.pipeline(transaction=False) as pipe:
            # Deleting works even when Redis is full and refuses the stamp.
            if pages:
                pipe.delete(*pages)
            pipe.set(stamp, secrets.token_hex(8), px=STAMP_TIME)
            return pipe.execute()

    try:
        _run(write)
    except _Unavailable:
        # The old page would be used again when Redis is back: drop everything then.
        _drop_failed = True
        log.warning("Redis is away: pages under %s may be up to five minutes old", stamp)


def _drop_everything_after_failure() -> None:
    global _drop_failed
    _run(lambda redis: redis.set(EVERYTHING, secrets.token_hex(8), px=STAMP_TIME))
    _drop_failed = False


def _run(command: Callable[[Any], Any]) -> Any:
    """Run `command` with a client. Raises _Unavailable, at once after a recent failure."""
    global _unavailable_until
    if time.monotonic() < _unavailable_until:
        raise _Unavailable
    try:
        return command(get_redis_connection("default"))
    except (RedisError, OSError) as error:
        _unavailable_until = time.monotonic() + PAUSE_AFTER_ERROR.total_seconds()
        log.warning("the catalog goes on without Redis: %s", type(error).__name__)
        raise _Unavailable from error
