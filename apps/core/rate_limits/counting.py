"""Counts in Redis, and in the process while Redis cannot count.

While Redis cannot count (it is unavailable, full, or read-only), each process counts in its own
memory by the same rule: a client that guesses gets the limit once from each process, and not more.
Only the wide limits, which keep load away and protect no secret, allow everything then. A failure
is remembered for `AWAY_SECONDS`, or else each request would wait for Redis's time-out anew.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from limits import RateLimitItem, WindowStats
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import RedisError

from apps.core.rate_limits.table import Limit
from apps.core.redis_client import thread_client

logger = logging.getLogger(__name__)

AWAY_SECONDS = 3.0
# The library's own script for one count, called for each of several: one round trip in place of
# three. KEYS: previous and current window of each; ARGV: amount and seconds of each. Returns the
# place, from 1, of the first limit that is reached, which ends the counting; 0 when none is.
HIT_ALL = f"""
local function hit(KEYS, ARGV)
{RedisStorage.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
for place = 1, #KEYS / 2 do
    local keys = {{KEYS[2 * place - 1], KEYS[2 * place]}}
    if not hit(keys, {{ARGV[2 * place - 1], ARGV[2 * place], 1}}) then return place end
end
return 0
"""
# Subjects of one limit that a process counts by itself; the library looks through all of them at
# each count. Those beyond share one, or many invented addresses would fill the memory.
OWN_SUBJECTS_MAX = 10_000
ALL_OTHERS = "all others"


class LimitReached(Exception):
    """A limit is used up. `retry_after` is in whole seconds; `headers` are for the 429."""

    def __init__(self, limit: Limit, retry_after: int) -> None:
        super().__init__(limit.name)
        self.limit = limit
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Retry-After": str(self.retry_after),
            "RateLimit-Limit": str(self.limit.amount),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(self.retry_after),
            "RateLimit-Policy": f"{self.limit.amount};w={self.limit.seconds}",
        }


class _Storage(RedisStorage):
    """The library's, with the shop's own fast client: every write counts twice or more."""

    def initialize_storage(self, _uri: str) -> None:
        self.storage = thread_client(settings.RATE_LIMITS_REDIS_URL)
        super().initialize_storage(_uri)
        self._hit_all = self.storage.register_script(HIT_ALL)

    def first_reached(self, counts: "Sequence[Count]") -> int:
        """Count one more for each; the place, from 1, of the first that is one too many, or 0."""
        keys: list[str] = []
        args: list[int] = []
        for limit, who in counts:
            key = limit.item.key_for(str(who))
            keys.append(self.prefixed_key(self._previous_window_key(key)))
            keys.append(self.prefixed_key(self._current_window_key(key)))
            args += (limit.amount, limit.seconds)
        return int(self._hit_all(keys, args))


Count = tuple[Limit, str | int]  # what is counted, and for whom
Ask = Callable[[SlidingWindowCounterRateLimiter, RateLimitItem, str], Any]


class _Counter:
    """Counts in Redis, connected to on first use, and in this process while Redis cannot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._own: dict[str, SlidingWindowCounterRateLimiter] = {}
        self._away_until = 0.0

    def ask(self, question: Ask, limit: Limit, who: str, otherwise: Any) -> Any:
        """What `question` returns; `otherwise` while nothing counts."""
        if not settings.RATE_LIMITS:
            return otherwise
        if time.monotonic() >= self._away_until:
            try:
                return question(self._limiter or self._connect(), limit.item, who)
            except RedisError as error:
                self._is_away(error)
        if limit.wide:
            return otherwise
        own = self._own.get(limit.name) or self._begin_own(limit)
        return question(own, limit.item, self._own_subject(own, limit, who))

    def first_reached(self, counts: Sequence[Count]) -> int | None:
        """As of the storage, in one round trip; None where Redis cannot count."""
        if time.monotonic() < self._away_until:
            return None
        try:
            storage = (self._limiter or self._connect()).storage
            assert isinstance(storage, _Storage)
            return storage.first_reached(counts)
        except RedisError as error:
            self._is_away(error)
            return None

    def _is_away(self, error: RedisError) -> None:
        # OSError, timeouts, OOM and READONLY arrive as RedisError too.
        self._away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("rate limits are counted by each process: %s", type(error).__name__)

    def _connect(self) -> SlidingWindowCounterRateLimiter:
        with self._lock:
            if self._limiter is None:
                storage = _Storage("redis://", key_prefix="rl")
                self._limiter = SlidingWindowCounterRateLimiter(storage)
            return self._limiter

    def _begin_own(self, limit: Limit) -> SlidingWindowCounterRateLimiter:
        with self._lock:
            if limit.name not in self._own:
                self._own[limit.name] = SlidingWindowCounterRateLimiter(MemoryStorage())
            return self._own[limit.name]

    @staticmethod
    def _own_subject(own: SlidingWindowCounterRateLimiter, limit: Limit, who: str) -> str:
        storage = own.storage
        assert isinstance(storage, MemoryStorage)
        if len(storage.storage) < OWN_SUBJECTS_MAX:
            return who
        known = storage.get_sliding_window(limit.item.key_for(who), limit.seconds)
        return who if known[0] or known[2] else ALL_OTHERS


_counter = _Counter()


def begin_anew() -> None:
    """Forget what this process knows of Redis and has counted by itself; for tests."""
    global _counter
    _counter = _Counter()


def count(limit: Limit, subject: str | int) -> None:
    """Count one more for `subject`; raises LimitReached when that is one too many."""
    who = str(subject)
    if not _counter.ask(_hit, limit, who, True):
        raise LimitReached(limit, _retry_after(limit, who))


def count_all(counts: Sequence[Count]) -> None:
    """Count one more for each, in their order, in one round trip.

    Raises LimitReached of the first that is one too many; those after it are not counted then.
    """
    if not counts or not settings.RATE_LIMITS:
        return
    place = _counter.first_reached(counts)
    if place is None:
        for limit, subject in counts:
            count(limit, subject)
    elif place:
        limit, subject = counts[place - 1]
        raise LimitReached(limit, _retry_after(limit, str(subject)))


def refuse_if_reached(limit: Limit, subject: str | int) -> None:
    """Raises LimitReached when `subject` has used `limit` up; counts nothing.

    For limits on failures: check before the try, `count` after a wrong one.
    """
    who = str(subject)
    if not _counter.ask(_test, limit, who, True):
        raise LimitReached(limit, _retry_after(limit, who))


def forget(limit: Limit, subject: str | int) -> None:
    """Set the count to zero: a client that has just sent the right password was not guessing."""
    _counter.ask(_clear, limit, str(subject), None)


def _hit(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: str) -> bool:
    return limiter.hit(item, who)


def _test(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: str) -> bool:
    return limiter.test(item, who)


def _clear(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: str) -> None:
    limiter.clear(item, who)


def _window(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: str) -> WindowStats:
    return limiter.get_window_stats(item, who)


def _retry_after(limit: Limit, who: str) -> int:
    now = time.time()
    stats = _counter.ask(_window, limit, who, None)
    reset = stats.reset_time if stats is not None else now
    return max(1, min(limit.seconds, math.ceil(reset - now)))
