"""Keeps to the gateway's rate limits: requests a second for each operation, and in all.

    budget.take("post /v1/payment_intents")      waits for its turn; raises OverBudget
    budget.hold("post /v1/payment_intents", …)   it has said 429: no process asks for a while

Stripe counts each named operation by itself and all of an account together
(https://docs.stripe.com/rate-limits). Here each has a token bucket in Redis, shared by all
processes. A request takes a token of both with one command, which says how long to wait for them:
nothing far from the limit. Near it the requests queue up in the order in which they asked, for
MAX_WAIT at most; one that would wait longer is not sent, and its order is tried again later.

What can wait (the mirror, the reconciler) takes a token only while the buckets are half full, and
never stands in the queue: the saga comes first.

A bucket is one number, the moment at which it will be full again ("generic cell rate algorithm").
The clock is that of Redis: the workers' may differ. While Redis is away each process keeps to a
part of the limits by itself.
"""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.redis_client import OptionalRedis, RedisUnavailable

logger = logging.getLogger(__name__)

# In any one second no more than the limit is sent: what a full bucket holds, and what flows in.
BURST = 0.2  # of a second's requests
MAX_WAIT = 2.0  # seconds. A batch of the saga waits for its slowest call
PATIENCE = 10.0  # seconds: how long what can wait tries again
LOOK_EVERY = 0.25
HOLD_UNNAMED = 1.0  # seconds, for a 429 that names no time
HOLD_MAX = 60.0
PROCESSES = 4  # share the limits while Redis is away

ACCOUNT_KEY = "gateway-budget:account"
TURNED_AWAY_KEY = "gateway-budget:turned-away"
_US = 1_000_000

# KEYS: account, operation, counter. ARGV: microseconds between tokens of the two (0: no limit),
# what they hold in microseconds, and the longest wait. Returns the wait, negative where it is too
# long; then no token is taken.
TAKE = """
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local wait, full = 0, {}
    for i = 1, 2 do
        local between = tonumber(ARGV[i])
        if between > 0 then
            full[i] = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), now) + between
            wait = math.max(wait, full[i] - now - tonumber(ARGV[i + 2]))
        end
    end
    if wait > tonumber(ARGV[5]) then
        redis.call('INCR', KEYS[3])
        return -wait
    end
    for i, at in pairs(full) do
        local ms = math.ceil((at - now) / 1000) + 1000
        redis.call('SET', KEYS[i], string.format('%.0f', at), 'PX', ms)
    end
    return wait
"""
# A bucket that is empty for the time ARGV[1], ARGV[2] is what it holds (microseconds both).
HOLD = """
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local at = now + ARGV[1] + ARGV[2]
    if at > tonumber(redis.call('GET', KEYS[1]) or 0) then
        local ms = math.ceil((at - now) / 1000) + 1000
        redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', ms)
    end
"""


class OverBudget(Exception):
    """The request was not sent. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"our own limit of requests a second: in {retry_after:.1f} s again")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A rate, as microseconds between tokens, and how many microseconds' worth it holds."""

    between: int = 0
    holds: int = 0

    @classmethod
    def of(cls, per_second: float) -> "_Bucket":
        if per_second <= 0:
            return cls()
        between = round(_US / (per_second * (1 - BURST)))
        return cls(between, round(max(1.0, per_second * BURST) * between))


class RequestBudget:
    """The limits `total` and `endpoint` (requests a second, 0: none). Safe between threads.

    `background`: for what can wait.
    """

    def __init__(self, *, total: int, endpoint: int, background: bool = False) -> None:
        self._account = _Bucket.of(total)
        self._operation = _Bucket.of(endpoint)
        self._background = background
        self._redis = OptionalRedis("gateway budget", lambda: settings.REDIS_URL)
        self._own = _OwnBuckets(_Bucket.of(total / PROCESSES), _Bucket.of(endpoint / PROCESSES))

    def take(self, operation: str) -> None:
        """Wait for the turn of a request. Raises OverBudget: it must not be sent now."""
        if not self._background:
            wait = self._ask(operation, part=1.0, most=MAX_WAIT)
            if wait < 0:
                raise OverBudget(-wait)
            if wait > 0:
                time.sleep(wait)
            return
        ends = time.monotonic() + PATIENCE
        while (wait := self._ask(operation, part=0.5, most=0.0)) < 0:
            if time.monotonic() > ends:
                raise OverBudget(-wait)
            time.sleep(min(-wait, LOOK_EVERY))

    def hold(self, operation: str, *, whole_account: bool, seconds: float | None) -> None:
        """The gateway turned a request away: no process sends another for `seconds`."""
        pause = min(HOLD_UNNAMED if seconds is None else max(0.0, seconds), HOLD_MAX)
        bucket = self._account if whole_account else self._operation
        key = ACCOUNT_KEY if whole_account else _key(operation)
        logger.warning("the gateway is asked too often: %s waits %.1f s", key, pause)
        self._own.hold(key, pause)
        with suppress(RedisUnavailable):
            self._redis.run(HOLD, [key], [round(pause * _US), bucket.holds])

    def _ask(self, operation: str, *, part: float, most: float) -> float:
        """Seconds to wait; negative: so long, and no token was taken."""
        account, own = self._account, self._operation
        keys = [ACCOUNT_KEY, _key(operation), TURNED_AWAY_KEY]
        # A bucket holds one token at least, or what can wait never gets one.
        holds = [max(bucket.between, round(bucket.holds * part)) for bucket in (account, own)]
        try:
            wait = self._redis.run(
                TAKE, keys, [account.between, own.between, *holds, round(most * _US)]
            )
            return int(wait) / _US
        except RedisUnavailable:
            return self._own.take(keys[:2], most=most)


class _OwnBuckets:
    """The same in this process alone, for its part of the limits."""

    def __init__(self, *buckets: _Bucket) -> None:
        self._buckets = buckets
        self._full: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, keys: list[str], *, most: float) -> float:
        with self._lock:
            now = time.monotonic()
            wait, full = 0.0, {}
            for key, bucket in zip(keys, self._buckets, strict=True):
                if bucket.between:
                    full[key] = max(self._full.get(key, 0.0), now) + bucket.between / _US
                    wait = max(wait, full[key] - now - bucket.holds / _US)
            if wait > most:
                return -wait
            self._full |= full
            return wait

    def hold(self, key: str, pause: float) -> None:
        bucket = self._buckets[0 if key == ACCOUNT_KEY else 1]
        with self._lock:
            at = time.monotonic() + pause + bucket.holds / _US
            self._full[key] = max(self._full.get(key, 0.0), at)


def operation_of(method: str, url: str) -> str:
    """The operation that a request is, as the gateway counts it: "get /v1/payment_intents/:id"."""
    parts = urlsplit(url).path.strip("/").split("/")
    if len(parts) > 2 and parts[2] != "search":
        parts[2] = ":id"
    return f"{method} /{'/'.join(parts)}"


def budget_from_settings(*, background: bool = False) -> RequestBudget | None:
    """The limits of Django's settings; None where there are none, as for the sandbox."""
    total = settings.STRIPE_REQUESTS_PER_SECOND
    endpoint = settings.STRIPE_ENDPOINT_REQUESTS_PER_SECOND
    if not total and not endpoint:
        return None
    return RequestBudget(total=total, endpoint=endpoint, background=background)


def _key(operation: str) -> str:
    return f"gateway-budget:{operation}"
