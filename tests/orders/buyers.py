"""Buyers that wait at an intake whose commit stands still.

with locked(mug):
    first = stand_still(ours, mug)                      its commit waits for the row
    rest = queue_up(ours, *(a_checkout((mug, 1)) …))    one behind the other
assert isinstance(first.result(), Accepted)
"""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from apps.catalog.models import Variant
from apps.orders.intake import CheckoutRequest, queue
from tests.orders.checkouts import a_checkout, pending, until, waiting_for_a_lock


class Buyer(threading.Thread):
    """A thread that places an order and waits; `outcome` is what it got in the end."""

    def __init__(self, process: queue.Intake, request: CheckoutRequest) -> None:
        super().__init__(daemon=True)
        self.pending = pending(request)
        self.outcome: object = None
        self._process = process
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._process.submit(self.pending)
        except Exception as refused:
            self.outcome = refused
        finally:
            connection.close()

    def result(self) -> object:
        self.join(60)
        assert not self.is_alive(), "it waits for ever"
        return self.outcome


@pytest.fixture
def ours(another_process: Callable[[], queue.Intake]) -> queue.Intake:
    """An intake of its own, so that a test may slow it down or shut it."""
    return another_process()


def stand_still(process: queue.Intake, mug: Variant) -> Buyer:
    """A buyer whose commit waits: `mug` must be `locked` by the test."""
    buyer = Buyer(process, a_checkout((mug, 1), email="stuck@example.com"))
    until(waiting_for_a_lock, "the committer waits for the row")
    return buyer


def queue_up(process: queue.Intake, *requests: CheckoutRequest) -> list[Buyer]:
    """Buyers one behind the other, in this order."""
    buyers = []
    for request in requests:
        length = len(process._queue)
        buyers.append(Buyer(process, request))
        until(lambda length=length: len(process._queue) > length, "it is queued")
    return buyers


def other_connections() -> set[int]:
    """The server's process ids of the connections to this database beside the test's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in cursor.fetchall()}
