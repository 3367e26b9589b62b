"""Catalogue pages in Redis: five minutes, dropped on change, one filler per key under stampede.

The promises:

- A page that changed is not shown again. Each key has a stamp, and so has the whole catalogue; a
  change renews the stamp after commit, and a stored page counts only under the stamps that were
  read *before* it was made. Without that, a filler that read the old row and wrote after the drop
  would put the old page back for five minutes.
- One filler per key. Whoever finds nothing takes a short lock; the others wait for the result, or,
  when the page is merely past its five minutes, show it once more.
- Redis away, frozen or full is a slower page, never an error: the question goes to the database,
  and for a few seconds nobody in this process asks Redis again.

Nothing here is a lock or a count of record: two fillers cost a query, not a unit of stock.
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

from storefront.quick_redis import quick_client

log = logging.getLogger(__name__)

FRESH = timedelta(minutes=5)
STALE = timedelta(minutes=1)  # past its five minutes a page may still be shown during a refill
MISSING = timedelta(seconds=2)  # "there is no such page": short, or made-up slugs would fill Redis
STAMP_TIME = 2 * (FRESH + STALE)  # outlives every page that was stored before the stamp was set
LOCK_TIME = timedelta(seconds=5)  # a filler that died is replaced after this
WAIT = timedelta(seconds=2)  # longer than any honest fill; then everyone helps themselves
AWAY = timedelta(seconds=3)

PREFIX = "catalogue:"
EVERYTHING = PREFIX + "stamp"
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"

T = TypeVar("T")

_away_until = 0.0
_lost_a_drop = False


class _Away(Exception):
    """Redis does not answer; go on without it."""


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
    """The page `name`, from Redis or from `fill` (run once however many ask).

    `fill` answers a dataclass, list or dict that orjson can write, or None where there is no such
    page; `decode` makes the same thing of the JSON that comes back. It is filled anew after
    `fresh`, which is not longer than FRESH, or dropped stamps would be forgotten before it.
    """
    key = _Key(kind, name)
    deadline = time.monotonic() + WAIT.total_seconds()
    token = secrets.token_hex(8)
    while True:
        try:
            found = _look(key)
            if found.is_there and found.is_fresh:
                return _decoded(found, decode)
            if _claim(key, token):
                break
        except _Away:
            return fill()
        if found.is_there:
            return _decoded(found, decode)
        if time.monotonic() > deadline:
            log.warning("nobody filled %s in time; asking the database", key.page)
            return fill()
        time.sleep(random.uniform(0.005, 0.025))
    try:
        return _fill(key, fill, decode, fresh)
    finally:
        _unclaim(key, token)


def glance(*pages: tuple[str, str]) -> tuple[bytes | None, ...] | None:
    """What Redis holds of `pages`, (kind, name) each, and their stamps, unread; one question.

    For whoever keeps what was made of a page and asks only whether it is still the same: equal
    answers are equal pages. None when one is missing or past its five minutes, or Redis is away:
    then ask `remembered`, which fills.
    """
    keys = [_Key(kind, name) for kind, name in pages]
    names = [name for key in keys for name in (key.page, key.stamp)]
    if _lost_a_drop:
        return None
    try:
        found, *left = _ask(
            lambda _: quick_client(settings.CACHES["default"]["LOCATION"]).ask_together(
                ("MGET", *names, EVERYTHING), *(("PTTL", key.page) for key in keys)
            )
        )
    except _Away:
        return None
    fresh = all(milliseconds > STALE.total_seconds() * 1000 for milliseconds in left)
    return tuple(found) if fresh else None


def forget(kind: str, name: str) -> None:
    """Drop one page. Call after commit, or a filler reads the old row once more."""
    key = _Key(kind, name)
    _drop(key.stamp, key.page)


def forget_everything() -> None:
    """Drop every page of the catalogue at once."""
    _drop(EVERYTHING)


def _fill(
    key: _Key, fill: Callable[[], T | None], decode: Callable[[Any], T], fresh: timedelta
) -> T | None:
    try:
        # Another filler may have finished between our look and our claim.
        found = _look(key)
    except _Away:
        return fill()
    if found.is_there and found.is_fresh:
        return _decoded(found, decode)
    made = fill()
    keep = MISSING if made is None else fresh + STALE
    packed = orjson.dumps([found.stamps, made])
    try:
        _ask(lambda redis: redis.set(key.page, packed, px=keep))
    except _Away:
        log.info("Redis is away; %s stays unfilled", key.page)
    return made


def _decoded(found: _Found, decode: Callable[[Any], T]) -> T | None:
    return None if found.page is None else decode(found.page)


def _look(key: _Key) -> _Found:
    def read(redis: Any) -> Any:
        with redis.pipeline(transaction=False) as pipe:
            pipe.mget(key.page, key.stamp, EVERYTHING)
            pipe.pttl(key.page)
            return pipe.execute()

    if _lost_a_drop:
        _make_up_for_lost_drops()
    (packed, *stamps), milliseconds_left = _ask(read)
    now = [(stamp or b"").decode() for stamp in stamps]
    try:
        then, page = orjson.loads(packed) if packed else ([], None)
    except (orjson.JSONDecodeError, ValueError, TypeError):
        then, page = [], None  # another version of the shop wrote it
    # By Redis's clock, not by ours: the clocks of the web machines may differ.
    is_fresh = page is None or milliseconds_left > STALE.total_seconds() * 1000
    return _Found(stamps=now, page=page, is_there=then == now, is_fresh=is_fresh)


def _claim(key: _Key, token: str) -> bool:
    return bool(_ask(lambda redis: redis.set(key.lock, token, nx=True, px=LOCK_TIME)))


def _unclaim(key: _Key, token: str) -> None:
    try:
        _ask(lambda redis: redis.eval(UNLOCK, 1, key.lock, token))
    except _Away:
        log.info("Redis is away; the lock of %s runs out by itself", key.page)


def _drop(stamp: str, *pages: str) -> None:
    global _lost_a_drop

    def write(redis: Any) -> Any:
        with redis.pipeline(transaction=False) as pipe:
            # Deleting works even where Redis is full and refuses the stamp.
            if pages:
                pipe.delete(*pages)
            pipe.set(stamp, secrets.token_hex(8), px=STAMP_TIME)
            return pipe.execute()

    try:
        _ask(write)
    except _Away:
        # The old page would be back when Redis thaws: remember to drop everything then.
        _lost_a_drop = True
        log.warning("Redis is away: pages under %s may be up to five minutes old", stamp)


def _make_up_for_lost_drops() -> None:
    global _lost_a_drop
    _ask(lambda redis: redis.set(EVERYTHING, secrets.token_hex(8), px=STAMP_TIME))
    _lost_a_drop = False


def _ask(question: Callable[[Any], Any]) -> Any:
    """Put `question` to Redis. Raises _Away at once while it was silent a moment ago."""
    global _away_until
    if time.monotonic() < _away_until:
        raise _Away
    try:
        return question(get_redis_connection("default"))
    except (RedisError, OSError) as error:
        _away_until = time.monotonic() + AWAY.total_seconds()
        log.warning("the catalogue goes on without Redis: %s", type(error).__name__)
        raise _Away from error
