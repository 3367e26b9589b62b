"""How long the queue behind the intake is, known cheaply: two numbers a second per process.

Depth is the count of orders still on their way (a partial index). What finishes a second is what
was accepted less what the depth grew by (the number sequence counts acceptances of all processes).
"""

import threading
import time
from collections import deque

from django.conf import settings
from django.db import connection

SAMPLE_EVERY = 1.0  # seconds
WINDOW = 15.0  # seconds; what was finished last night says nothing about this morning
QUIET_ESTIMATE = 2  # seconds an order takes when nobody is before it
# The hard limit. A hold lives for HOLD_TIME: an order whose turn comes later than that would be
# called off unserved, so it is better not taken. While nothing is finished at all (an outage) no
# wait can be told, and orders are taken up to a depth that the machine can keep.
LONGEST_WAIT = settings.HOLD_TIME * 2 / 3
DEEPEST = 100_000  # orders under way
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


class QueueGauge:
    """Position and estimated wait for an order accepted now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, int, int]] = deque()
        self._since_sample = 0

    def refresh(self) -> None:
        """Take a sample when the last one is older than a second; uses the caller's connection."""
        now = time.monotonic()
        with self._lock:
            if self._samples and now - self._samples[-1][0] < SAMPLE_EVERY:
                return
            while self._samples and now - self._samples[0][0] > WINDOW:
                self._samples.popleft()
            self._samples.append((now, *figures()))
            self._since_sample = 0

    def next_place(self) -> tuple[int, int]:
        """(orders before this one, seconds until it is through), for the next accepted order."""
        with self._lock:
            depth = self._samples[-1][1] if self._samples else 0
            position = depth + self._since_sample
            self._since_sample += 1
            return position, self._wait(position)

    def is_full(self) -> bool:
        """Whether the next order had better not be taken."""
        with self._lock:
            depth = self._samples[-1][1] if self._samples else 0
            position = depth + self._since_sample
            if position < SHORT:
                return False
            return position >= DEEPEST or self._wait(position) > LONGEST_WAIT.total_seconds()

    def _wait(self, position: int) -> int:
        if len(self._samples) < 2:
            return QUIET_ESTIMATE
        (first_at, first_depth, first_total) = self._samples[0]
        (last_at, last_depth, last_total) = self._samples[-1]
        finished = (last_total - first_total) - (last_depth - first_depth)
        if finished <= 0:
            return QUIET_ESTIMATE
        return max(QUIET_ESTIMATE, round(position * (last_at - first_at) / finished))
