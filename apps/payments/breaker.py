"""The circuit breaker: a gateway that does not answer is left alone, by all workers together.

    closed      calls go through; FAILURES_TO_OPEN failures in a row open the circuit
    open        calls fail at once with GatewayCircuitOpen, for OPEN_FOR
    half-open   TRIALS calls go through, of all processes together; the others still fail at once.
                The first answer closes the circuit, the first failure opens it again

It saves the shop from itself: without it each batch of the saga waits out the time-out again and
again, and the gateway is met with everything at once when it comes back. It promises nothing about
money: who is turned away was certainly never sent, and asks again later under the same key.
Whoever writes down what he is going to ask asks to be let through first (`let_through`).

A failure is silence: no connection, a time-out, a 5xx. Whatever else the gateway says is an answer,
also a decline, a refusal, a rate limit, a 401, a stored 500 that is replayed (ADR 0018).

pybreaker is the state machine; `SharedState` is its storage. What every call touches lies in the
process: Redis is looked at twice a second, told when the circuit opens or closes, and asked for
each trial. When Redis is away every process goes by what it has seen itself. No wall clock is
compared: how long the circuit stays open is the life of a key in Redis.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker
import redis
from django.conf import settings

from apps.payments.gateway import (
    Change,
    Gateway,
    GatewayCircuitOpen,
    GatewayError,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayUnreachable,
    Intent,
)
from storefront import bells
from storefront.quick_redis import Away, QuickRedis

logger = logging.getLogger(__name__)

CLOSED, OPEN, HALF_OPEN = (
    pybreaker.STATE_CLOSED,
    pybreaker.STATE_OPEN,
    pybreaker.STATE_HALF_OPEN,
)
# A gateway that loses one call in ten for a while must not stop the shop: ten in a row then come
# about once in ten thousand million calls. In an outage under load ten are there at once.
FAILURES_TO_OPEN = 10
# How late the shop can learn that the gateway is back. Shorter would help nobody: a trial that
# hangs takes longer than this to fail.
OPEN_FOR = timedelta(seconds=5)
# More than one, because the worker of one may die; few, because each holds up its batch.
TRIALS = 3
LOOK_EVERY = 0.5  # seconds; so long a process may go on asking after another one saw the silence

STATE_KEY = "circuit:gateway"  # read for /metrics too (storefront/metrics.py)
OPEN_KEY = "circuit:gateway:open"  # lives for OPEN_FOR
TRIALS_KEY = "circuit:gateway:trials"
OPENED_KEY = "circuit:gateway:opened"  # how often it was found closed and opened

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
# Trials whose worker died give their place back when the key ends.
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
KEYS = [STATE_KEY, OPEN_KEY, TRIALS_KEY, OPENED_KEY]
OPEN_FOR_MS = round(OPEN_FOR.total_seconds() * 1000)


class SharedState(pybreaker.CircuitMemoryStorage):
    """Where the circuit stands, as this process knows it; counters are the process's own.

    `era` counts the changes of state seen here. What was asked in one era says nothing in the
    next: a time-out that began before the gateway came back must not open the circuit again.
    """

    def __init__(self) -> None:
        super().__init__(CLOSED)
        self.era = 0
        self._redis = QuickRedis("gateway circuit", lambda: settings.REDIS_URL)
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._look_again_at = 0.0
        self._open_until = 0.0
        self._trial_lock = threading.Lock()
        self._no_trial_before = 0.0
        self._own_trials: deque[float] = deque(maxlen=TRIALS)

    # --- pybreaker's side --------------------------------------------------------------------

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        """What this process has found out: from here all learn it."""
        self._become(state, open_for_s=OPEN_FOR.total_seconds())
        with suppress(Away):
            if state == OPEN:
                self._redis.run(TELL_OPEN, KEYS, [OPEN_FOR_MS])
            elif state == CLOSED:
                self._redis.run(TELL_CLOSED, KEYS, [])
        if state == CLOSED:
            # Not from here: this is one of the threads for calls, which touch no database.
            bells.ring("payments.gateway_recovered")

    @property
    def opened_at(self) -> datetime:
        """In this machine's time, from a monotonic clock: pybreaker compares it with now."""
        ends_in = timedelta(seconds=self._open_until - time.monotonic())
        return datetime.now(UTC) + ends_in - OPEN_FOR

    @opened_at.setter
    def opened_at(self, moment: datetime) -> None:
        """`_become` keeps it; the moment is a wall clock's."""

    # --- the other processes -----------------------------------------------------------------

    def look(self, *, now: bool = False) -> None:
        """Learn what the others know: twice a second, by one thread while the rest go on."""
        if not now and time.monotonic() < self._look_again_at:
            return
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look_again_at = time.monotonic() + LOOK_EVERY
            era = self.era
            state, open_for_ms = self._redis.ask(_read)
        except Away:
            return
        finally:
            self._looking.release()
        # A Redis that was emptied knows nothing; then what was seen here goes on to count.
        if state is not None:
            self._become(state, open_for_s=max(0, open_for_ms) / 1000, unless_after=era)

    def rests(self) -> bool:
        """Whether it is open and nobody may try yet."""
        return self._state == OPEN and time.monotonic() < self._open_until

    def take_trial(self) -> bool:
        """Whether the caller is one of the few who may find out how the gateway is."""
        with self._trial_lock:
            if time.monotonic() < self._no_trial_before:
                return False
            try:
                taken = bool(self._redis.run(TAKE_TRIAL, KEYS, [OPEN_FOR_MS, TRIALS]))
            except Away:
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

    def _become(self, state: str, *, open_for_s: float, unless_after: int | None = None) -> None:
        with self._lock:
            if unless_after is not None and unless_after != self.era:
                return  # what was read is older than what happened here meanwhile
            if state == OPEN:
                self._open_until = time.monotonic() + open_for_s
            if state != self._state:
                self.era += 1
                logger.warning("gateway circuit: %s → %s", self._state, state)
                self._state = state


def _read(client: "redis.Redis") -> Any:
    pipeline = client.pipeline(transaction=False)
    pipeline.get(STATE_KEY)
    pipeline.pttl(OPEN_KEY)
    return pipeline.execute()


def trial_is_due() -> bool:
    """Whether the circuit waits for a call that tries the gateway. False when nobody knows."""
    with suppress(Away):
        state, open_for_ms = _asker.ask(_read)
        return state in (OPEN, HALF_OPEN) and open_for_ms <= 0
    return False


def is_closed() -> bool:
    """Whether the circuit was open and is not any more. False when nobody knows."""
    with suppress(Away):
        state, _ = _asker.ask(_read)
        return bool(state == CLOSED)
    return False


_asker = QuickRedis("gateway circuit", lambda: settings.REDIS_URL)


class Circuit:
    """The breaker itself. Safe between threads; no lock is held while the gateway is asked."""

    def __init__(self) -> None:
        self._shared = SharedState()
        # `pybreaker.CircuitBreaker.call` holds its lock for the length of the call: 128 calls of
        # 50 ms took 6.4 s through it. So it is told of the outcome afterwards.
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES_TO_OPEN,
            reset_timeout=OPEN_FOR.total_seconds(),
            state_storage=self._shared,
            name="gateway",
            throw_new_error_on_trip=False,
        )

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around one call of the gateway. Raises GatewayCircuitOpen instead of letting it out."""
        with self._listening(self._admit()):
            yield

    def let_through(self) -> "LetThrough":
        """The circuit for one question. Raises GatewayCircuitOpen."""
        return LetThrough(self, self._admit())

    @contextmanager
    def _listening(self, era: int) -> Iterator[None]:
        try:
            yield
        except (GatewayUnreachable, GatewayOutcomeUnknown) as silence:
            replayed = isinstance(silence, GatewayOutcomeUnknown) and silence.replayed
            self._heard(era, None if replayed else silence)
            raise
        except GatewayError:
            self._heard(era, None)  # not what was hoped for, but an answer
            raise
        # Any other exception is ours and says nothing about the gateway.
        self._heard(era, None)

    def _admit(self) -> int:
        """The era in which the call is asked."""
        shared = self._shared
        shared.look()
        if shared.state != CLOSED:
            if shared.rests() or not shared.take_trial():
                raise GatewayCircuitOpen("The gateway has not been answering; asked again soon.")
            if shared.state == OPEN:
                self._breaker.half_open()
        return shared.era

    def _heard(self, era: int, silence: GatewayError | None) -> None:
        if self._shared.state != CLOSED:
            self._shared.look(now=True)
        if era == self._shared.era:
            # Its own refusal, too: another thread has opened it between these two lines.
            with suppress(GatewayError, pybreaker.CircuitBreakerError):
                self._breaker.call(_say, silence)


class LetThrough:
    """A circuit that has let one question through: its first call, and those that follow from it.

    Not safe between threads. A question that is never asked after all was a trial for nothing.
    """

    def __init__(self, circuit: Circuit, era: int) -> None:
        self._circuit = circuit
        self._era: int | None = era

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around one call of the question. Never raises GatewayCircuitOpen."""
        # What was let through in one era may be asked in the next, and then says nothing in it. A
        # call that follows does: the one before it was answered.
        era, self._era = self._era, None
        with self._circuit._listening(self._circuit._shared.era if era is None else era):
            yield

    def let_through(self) -> "LetThrough":
        return self


def _say(silence: GatewayError | None) -> None:
    if silence is not None:
        raise silence


class BreakerGateway:
    """`apps.payments.gateway.Gateway` behind the circuit breaker."""

    def __init__(self, gateway: Gateway, circuit: Circuit | LetThrough | None = None) -> None:
        self._gateway = gateway
        self._circuit = circuit or Circuit()

    def let_through(self) -> "BreakerGateway":
        return BreakerGateway(self._gateway, self._circuit.let_through())

    def authorize(
        self,
        *,
        key: str,
        amount: int,
        currency: str,
        payment_method: str,
        metadata: Mapping[str, str],
        return_url: str,
    ) -> Intent:
        with self._circuit.asking():
            return self._gateway.authorize(
                key=key,
                amount=amount,
                currency=currency,
                payment_method=payment_method,
                metadata=metadata,
                return_url=return_url,
            )

    def capture(self, intent_id: str, *, key: str, amount: int) -> Intent:
        with self._circuit.asking():
            return self._gateway.capture(intent_id, key=key, amount=amount)

    def void(self, intent_id: str, *, key: str) -> Intent:
        with self._circuit.asking():
            return self._gateway.void(intent_id, key=key)

    def refund(
        self, intent_id: str, *, key: str, amount: int, metadata: Mapping[str, str]
    ) -> GatewayRefund:
        with self._circuit.asking():
            return self._gateway.refund(intent_id, key=key, amount=amount, metadata=metadata)

    def retrieve(self, intent_id: str) -> Intent:
        with self._circuit.asking():
            return self._gateway.retrieve(intent_id)

    def search(self, *, payment_id: str) -> Intent | None:
        with self._circuit.asking():
            return self._gateway.search(payment_id=payment_id)

    def find(
        self, *, payment_id: str, created_after: datetime, created_before: datetime | None = None
    ) -> Intent | None:
        with self._circuit.asking():
            return self._gateway.find(
                payment_id=payment_id, created_after=created_after, created_before=created_before
            )

    def list_intents(
        self,
        *,
        created_after: datetime,
        created_before: datetime | None = None,
        behind: str | None = None,
    ) -> Iterator[Intent]:
        with self._circuit.asking():
            yield from self._gateway.list_intents(
                created_after=created_after, created_before=created_before, behind=behind
            )

    def list_changes(self, *, since: datetime, behind: str | None = None) -> Iterator[Change]:
        with self._circuit.asking():
            yield from self._gateway.list_changes(since=since, behind=behind)

    def retrieve_refunds(self, intent_id: str) -> list[GatewayRefund]:
        with self._circuit.asking():
            return self._gateway.retrieve_refunds(intent_id)

    def read_intent(self, shown: Mapping[str, Any]) -> Intent:
        return self._gateway.read_intent(shown)

    def read_refund(self, shown: Mapping[str, Any]) -> GatewayRefund:
        return self._gateway.read_refund(shown)
