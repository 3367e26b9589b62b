"""How long the queue behind the intake is, known cheaply: two numbers a second per process.

Depth is the count of orders still on their way (a partial index). The number sequence counts the
acceptances of all processes: what was accepted since the last look stands in an order's own number,
and what finishes a second is what was accepted less what the depth grew by.

The pace is believed only where it was a pace. While the queue is short, what is finished is what
came; a burst after a quiet night would be told an eternity. And once it is known it is followed
slowly: in a burst the web takes the processors from the workers, behind it they have them back, and
most of those who are accepted in the burst are served behind it. Hence it is watched there as well.
"""

import threading
import time
from dataclasses import dataclass
from math import ceil

from django.conf import settings
from django.db import connection

SAMPLE_EVERY = 1.0  # seconds
WINDOW = 15.0  # seconds; what was finished last night says nothing about this morning
FOLLOWS_IN = 15.0  # seconds after which two thirds of a change of pace are believed
# The same, where more is finished than was thought possible, though hardly anybody waits.
RISES_IN = 5.0  # seconds
GUESS_LASTS = 3.0  # seconds; the first guess counts for as much as so many that were seen
# Who is through in less, at the pace that is seen, has hardly waited for anybody: the pace is that
# of coming, not of finishing.
QUEUEING = 4.0  # seconds
FIRST_GUESS = 150.0  # orders finished a second, until it is known: what two cores have done
UNSEEN_FOR = 0.25  # seconds at most between an order's number and its commit
QUIET_ESTIMATE = 1  # seconds an order takes when nobody is before it: two calls of the gateway
# The hard limit. A hold lives for HOLD_TIME: an order whose turn comes later than that would be
# called off unserved, so it is better not taken. While nothing is finished at all (an outage) the
# pace stays what it was: those are taken who could be served in time afterwards.
LONGEST_WAIT = settings.HOLD_TIME * 2 / 3
DEEPEST = 100_000  # orders under way; more than that the machine cannot keep
# What workers who are well carry through in seconds. Where a Redis freezes or a worker is killed,
# the one order that was still finished in the window would make an eternity of a short queue.
SHORT = 2_000  # orders under way

SAMPLE = """
    SELECT (SELECT count(*) FROM orders_saga
            WHERE state IN ('forward', 'undoing') AND due_at IS NOT NULL),
           (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM orders_number)
"""


def figures() -> tuple[int, int]:
    """(orders on their way, orders accepted ever), on the caller's connection."""
    with connection.cursor() as cursor:
        cursor.execute(SAMPLE)
        depth, accepted = cursor.fetchone()
    return depth, accepted


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    depth: int
    accepted: int


class QueueGauge:
    """Position and estimated wait for an order accepted now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: _Sample | None = None
        self._since: _Sample | None = None  # since when nothing was seen to be finished
        self._number = 0  # of the last order placed here
        self._pace = FIRST_GUESS
        self._known_for = GUESS_LASTS

    def refresh(self) -> None:
        """Take a sample when the last one is older than a second; uses the caller's connection."""
        now = time.monotonic()
        with self._lock:
            if self._last and now - self._last.at < SAMPLE_EVERY:
                return
            self._last = _Sample(now, *figures())
            self._number = max(self._number, self._last.accepted)
            self._learn(self._last)

    def watch(self) -> None:
        """`refresh`, as long as orders are under way; for when nobody comes."""
        last = self._last
        if last is not None and (last.depth or self._number > last.accepted):
            self.refresh()

    def next_place(self, number: int) -> tuple[int, int]:
        """(orders before this one, seconds until it is through), for the order of this number.

        Numbers are the sequence's, so that those whom other processes accepted count as well.
        """
        with self._lock:
            self._number = max(self._number, number)
            position = self._position(number)
            return position, self._wait(position)

    def is_full(self) -> bool:
        """Whether the next order had better not be taken."""
        with self._lock:
            position = self._position(self._number + 1)
            if position < SHORT:
                return False
            return position >= DEEPEST or self._wait(position) > LONGEST_WAIT.total_seconds()

    def _position(self, number: int) -> int:
        """Those who were under way at the last look, and those who came since."""
        if self._last is None:
            return 0
        return self._last.depth + max(0, number - self._last.accepted - 1)

    def _wait(self, position: int) -> int:
        return max(QUIET_ESTIMATE, ceil(position / self._pace))

    def _learn(self, sample: _Sample) -> None:
        since = self._since
        if since is None or sample.at - since.at > WINDOW:
            self._since = sample
            return
        accepted = sample.accepted - since.accepted
        finished = accepted - (sample.depth - since.depth)
        seconds = sample.at - since.at
        # Batches end together: a second without an end is no pace of nothing. And a number is drawn
        # before its order can be seen: what other processes have under way is no end, or a crowd
        # at a shop whose workers stand still would find a pace of almost nothing.
        if finished <= accepted / seconds * UNSEEN_FOR:
            return
        self._since = sample
        pace = finished / seconds
        if min(since.depth, sample.depth) > pace * QUEUEING:
            self._known_for = min(self._known_for + seconds, FOLLOWS_IN)
            self._believe(pace, seconds / self._known_for)
        elif pace > self._pace:
            self._believe(pace, seconds / RISES_IN)

    def _believe(self, pace: float, share: float) -> None:
        # In ratios: half and twice the pace are equally far away.
        self._pace *= (pace / self._pace) ** min(1.0, share)
