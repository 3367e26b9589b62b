"""The intake in a forked process: a queue and a thread of its own."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from apps.orders.intake import Accepted, queue
from apps.orders.models import Order
from tests.factories import a_kettle
from tests.orders.buyers import queue_up, stand_still
from tests.orders.checkouts import a_checkout, locked, place, reserved

pytestmark = pytest.mark.usefixtures("open_shop")


class TestFork:
    """A web server's worker, or Celery's child: it does not have the parent's thread."""

    def test_child_has_a_queue_and_a_thread_of_its_own(self, mug):
        place(a_checkout((mug, 1)))
        request = a_checkout((mug, 1))

        assert in_a_child(lambda: place(request)) == "accepted"

        assert reserved(mug) == 2
        assert place(request).replayed is True

    def test_child_does_not_commit_what_the_parent_has_queued(self, mug):
        ours = queue._intake
        with locked(mug):
            first = stand_still(ours, mug)
            (waiting,) = queue_up(ours, a_checkout((mug, 1)))
            kettle = a_kettle(stock=1)

            assert in_a_child(lambda: place(a_checkout((kettle, 1)))) == "accepted"

            assert Order.objects.count() == 1
        assert [type(buyer.result()) for buyer in (first, waiting)] == [Accepted] * 2
        assert (reserved(mug), reserved(kettle)) == (2, 1)

    def test_child_forked_while_the_lock_is_held_is_not_stuck(self, mug):
        """Forked while another thread is at the queue: its lock is held for ever in the child."""
        place(a_checkout((mug, 1)))
        at_the_queue, forked = threading.Event(), threading.Event()

        def busy() -> None:
            with queue._intake._changed:
                at_the_queue.set()
                forked.wait(60)

        thread = threading.Thread(target=busy)
        thread.start()
        assert at_the_queue.wait(60)
        try:
            outcome = in_a_child(lambda: place(a_checkout((mug, 1))), after_fork=forked.set)
        finally:
            forked.set()
            thread.join()

        assert outcome == "accepted"


def in_a_child(call: Callable[[], object], *, after_fork: Callable[[], None] = int) -> str:
    """What `call` came to in a forked process; a child that hangs is ended by its alarm."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(8)
        outcome = "nothing"
        try:
            outcome = "accepted" if isinstance(call(), Accepted) else "something else"
        except BaseException as error:
            outcome = repr(error)
        os.write(writing, outcome.encode())
        os._exit(0)  # no clean-up: the parent's connections are not the child's to close
    after_fork()
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as written_by_child:
        return written_by_child.read() or "the child hung"
