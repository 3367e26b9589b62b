"""Where the gateway's circuit stands, shared by all processes through Redis.

What every call reads is kept in the process. Redis is read twice a second, written when the circuit
opens or closes, and asked for each trial. While Redis is away, each process goes by what it has
seen itself. No wall clocks are compared: the circuit stays open as long as a key lives in Redis, so
that a worker with a wrong clock does no harm.
"""

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings

from apps.core import dispatch
from apps.core.redis_client import OptionalRedis, RedisUnavailable

logger = logging.getLogger(__name__)

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"
# How late the shop can learn that the gateway is back. A shorter time would not help: a trial
# that hangs takes longer than this to fail.
OPEN_FOR = timedelta(seconds=5)
OPEN_FOR_MS = round(OPEN_FOR.total_seconds() * 1000)
# More than one, because the worker of one may die; few, because each holds up its batch.
TRIALS = 3
# Seconds: for so long a process may go on calling after another one has opened the circuit.
LOOK_EVERY = 0.5

STATE_KEY = "circuit:gateway"
OPEN_KEY = "circuit:gateway:open"  # lives for OPEN_FOR
TRIALS_KEY = "circuit:gateway:trials"
OPENED_KEY = "circuit:gateway:opened"  # how often a closed circuit was opened
KEYS = [STATE_KEY, OPEN_KEY, TRIALS_KEY, OPENED_KEY]

TELL_OPEN = """
    local before = redis.call('GET', KEYS[1])
    if before ~= 'open' and before ~= 'half-open' then redis.call('INCR', KEYS[4]) end
    redis.call('SET', KEYS[1], 'open')
    redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
    redis.call('DEL', KEYS[3])
"""
TELL_CLOSED = """
    redis.call('SET', KEYS[1], 'closed')
    redis.call('DEL', KEYS[2], KEYS[3])
"""
# A trial whose worker died is counted until the key expires.
TAKE_TRIAL = """
    if redis.call('GET', KEYS[1]) == 'closed' or redis.call('EXISTS', KEYS[2]) == 1 then
        return 0
    end
    local taken = redis.call('INCR', KEYS[3])
    if taken == 1 then redis.call('PEXPIRE', KEYS[3], ARGV[1]) end
    if taken > tonumber(ARGV[2]) then return 0 end
    redis.call('SET', KEYS[1], 'half-open')
    return 1
"""


class SharedState:
    """The state of the circuit as this process knows it. Safe between threads.

    `era` counts the changes of state seen here. What was sent in one era says nothing about the
    next: a time-out that began before the gateway came back must not open the circuit again.
    """

    def __init__(self) -> None:
        self.state = CLOSED
        self.era = 0
        self._redis = OptionalRedis("gateway circuit", lambda: settings.REDIS_URL)
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._look_again_at = 0.0
        self._open_until = 0.0
        self._trial_lock = threading.Lock()
        self._no_trial_before = 0.0
        self._own_trials: deque[float] = deque(maxlen=TRIALS)

    def change(self, state: str, *, in_era: int) -> None:
        """Set what this process has found out, unless the era has ended, and tell the others."""
        if not self._become(state, open_for_s=OPEN_FOR.total_seconds(), in_era=in_era):
            return
        with suppress(RedisUnavailable):
            if state == OPEN:
                self._redis.run(TELL_OPEN, KEYS, [OPEN_FOR_MS])
            elif state == CLOSED:
                self._redis.run(TELL_CLOSED, KEYS, [])
        if state == CLOSED:
            # By a task: this thread may be one of those that call the gateway and must not use the
            # database.
            dispatch.enqueue_on_commit("payments.gateway_recovered")

    def look(self, *, now: bool = False) -> None:
        """Read what the others know: twice a second, by one thread, while the rest go on."""
        if not now and time.monotonic() < self._look_again_at:
            return
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look_again_at = time.monotonic() + LOOK_EVERY
            era = self.era
            state, open_for_ms = self._redis.ask(_read)
        except RedisUnavailable:
            return
        finally:
            self._looking.release()
        # None: Redis was emptied. What was seen here stays true then.
        if state is not None:
            self._become(state, open_for_s=max(0, open_for_ms) / 1000, in_era=era)

    def rests(self) -> bool:
        """Whether the circuit is open and no trial may be made yet."""
        return self.state == OPEN and time.monotonic() < self._open_until

    def take_trial(self) -> bool:
        """Whether the caller may make one of the few trials of all processes together."""
        with self._trial_lock:
            if time.monotonic() < self._no_trial_before:
                return False
            try:
                taken = bool(self._redis.run(TAKE_TRIAL, KEYS, [OPEN_FOR_MS, TRIALS]))
            except RedisUnavailable:
                taken = self._take_own_trial()
            if not taken:
                self._no_trial_before = time.monotonic() + LOOK_EVERY
            return taken

    def _take_own_trial(self) -> bool:
        now = time.monotonic()
        oldest = self._own_trials[0] if len(self._own_trials) == TRIALS else None
        if oldest is not None and now - oldest < OPEN_FOR.total_seconds():
            return False
        self._own_trials.append(now)
        return True

    def _become(self, state: str, *, open_for_s: float, in_era: int) -> bool:
        """Whether the era was still that one; only then anything changes."""
        with self._lock:
            if in_era != self.era:
                return False
            if state == OPEN:
                self._open_until = time.monotonic() + open_for_s
            if state != self.state:
                self.era += 1
                logger.warning("gateway circuit: %s → %s", self.state, state)
                self.state = state
            return True


def _read(client: "redis.Redis") -> Any:
    pipeline = client.pipeline(transaction=False)
    pipeline.get(STATE_KEY)
    pipeline.pttl(OPEN_KEY)
    return pipeline.execute()


# --- For those who wake waiting orders ------------------------------------------------------------

_asker = OptionalRedis("gateway circuit", lambda: settings.REDIS_URL)


def trial_is_due() -> bool:
    """Whether the circuit waits for a call that tries the gateway. False while Redis is away."""
    with suppress(RedisUnavailable):
        state, open_for_ms = _asker.ask(_read)
        return state in (OPEN, HALF_OPEN) and open_for_ms <= 0
    return False


def is_closed() -> bool:
    """Whether the circuit was open once and is closed now. False while Redis is away."""
    with suppress(RedisUnavailable):
        state, _ = _asker.ask(_read)
        return bool(state == CLOSED)
    return False
