"""How long an accepted order waits for the workers: two numbers a second per process tell.

Depth is the count of orders under way (a partial index). The number sequence counts the orders that
all processes accept: an order's own number says how many were accepted since the last sample. The
pace, orders finished a second, is what was accepted less the growth of the depth.

A measured pace is used only where orders were waiting. While the queue is short, what is finished
is what came in; a burst after a quiet night would get an absurdly long estimate. And the estimate
follows the measured pace slowly: during a burst the web processes take the processors from the
workers, afterwards the workers have them back, and most orders of the burst are served afterwards.
Hence the pace is measured then as well.
"""

import threading
import time
from dataclasses import dataclass
from math import ceil

from django.conf import settings
from django.db import connection

SAMPLE_EVERY = 1.0  # seconds
WINDOW = 15.0  # seconds; an older sample says nothing about the present pace
FOLLOWS_IN = 15.0  # seconds after which the estimate has followed two thirds of a change of pace
# The same, where more is finished than was thought possible although hardly any order waits.
RISES_IN = 5.0  # seconds
GUESS_LASTS = 3.0  # seconds; the first guess weighs as much as so many measured ones
# A queue shorter than this many seconds of work is no queue: orders are finished as they come in.
QUEUEING = 4.0  # seconds
FIRST_GUESS = 150.0  # orders finished a second, until measured: two cores have done that
UNSEEN_FOR = 0.25  # seconds at most between an order's number and its commit
QUIET_ESTIMATE = 1  # seconds an order takes when none is before it: two calls of the gateway
# The hard limit. A hold lives for HOLD_TIME: an order that is reached later would be cancelled
# unserved, so it is better refused. While nothing is finished at all (an outage) the pace stays as
# it was: those orders are accepted that could be served in time afterwards.
LONGEST_WAIT = settings.HOLD_TIME * 2 / 3
MAX_DEPTH = 100_000  # orders under way; the machine cannot keep more
# Healthy workers finish so many in seconds. Where Redis hangs or a worker is killed, a single order
# finished within the window would give a short queue an absurdly long estimate.
SHORT_QUEUE = 2_000  # orders under way

SAMPLE = """
    SELECT (SELECT count(*) FROM orders_saga
            WHERE state IN ('forward', 'undoing') AND due_at IS NOT NULL),
           (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM orders_number)
"""


def figures() -> tuple[int, int]:
    """(orders under way, orders ever accepted), on the caller's connection."""
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
        self._since: _Sample | None = None  # the last sample that showed finished orders
        self._number = 0  # the highest that is known here
        self._pace = FIRST_GUESS
        self._known_for = GUESS_LASTS

    def refresh(self) -> None:
        """Take a sample if the last is older than SAMPLE_EVERY; uses the caller's connection."""
        now = time.monotonic()
        with self._lock:
            if self._last and now - self._last.at < SAMPLE_EVERY:
                return
            self._last = _Sample(now, *figures())
            self._number = max(self._number, self._last.accepted)
            self._measure(self._last)

    def watch(self) -> None:
        """`refresh` as long as orders are under way; for the time when no checkout comes."""
        last = self._last
        if last is not None and (last.depth or self._number > last.accepted):
            self.refresh()

    def next_place(self, number: int) -> tuple[int, int]:
        """(orders before the order of this number, seconds until it is finished).

        The sequence numbers of all processes count, so the orders that other processes accepted are
        included.
        """
        with self._lock:
            self._number = max(self._number, number)
            position = self._position(number)
            return position, self._wait(position)

    def is_full(self) -> bool:
        """Whether the next order has to be refused."""
        with self._lock:
            position = self._position(self._number + 1)
            if position < SHORT_QUEUE:
                return False
            return position >= MAX_DEPTH or self._wait(position) > LONGEST_WAIT.total_seconds()

    def _position(self, number: int) -> int:
        """The orders under way at the last sample, and those accepted since."""
        if self._last is None:
            return 0
        return self._last.depth + max(0, number - self._last.accepted - 1)

    def _wait(self, position: int) -> int:
        return max(QUIET_ESTIMATE, ceil(position / self._pace))

    def _measure(self, sample: _Sample) -> None:
        since = self._since
        if since is None or sample.at - since.at > WINDOW:
            self._since = sample
            return
        accepted = sample.accepted - since.accepted
        finished = accepted - (sample.depth - since.depth)
        seconds = sample.at - since.at
        # Orders are finished in batches: a second without one is not a pace of zero. And a number
        # is drawn before its order can be seen: orders that other processes are committing must not
        # count as finished, or stopped workers would be measured at a pace just above zero.
        if finished <= accepted / seconds * UNSEEN_FOR:
            return
        self._since = sample
        pace = finished / seconds
        if min(since.depth, sample.depth) > pace * QUEUEING:
            self._known_for = min(self._known_for + seconds, FOLLOWS_IN)
            self._follow(pace, seconds / self._known_for)
        elif pace > self._pace:
            self._follow(pace, seconds / RISES_IN)

    def _follow(self, pace: float, share: float) -> None:
        """Move the estimate towards `pace` by `share` of the way (1.0: all of it).

        In ratios, so that half and twice the pace are equally far away.
        """
        self._pace *= (pace / self._pace) ** min(1.0, share)
