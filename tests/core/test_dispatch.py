"""Messages after a commit: coalesced, sent by another thread, and lost rather than waited for."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from apps.core import dispatch
from apps.core.dispatch import Dispatcher
from tests.waiting import until


@pytest.fixture
def sent(monkeypatch):
    """The tasks that were sent; sending blocks until `sent.gate` is set."""

    class Sent(list):
        gate = threading.Event()
        trouble: Exception | None = None

        def send(self, name):
            self.append(name)
            assert self.gate.wait(60)
            if self.trouble:
                raise self.trouble

    sent = Sent()
    sent.gate = threading.Event()
    sent.gate.set()
    monkeypatch.setattr(dispatch, "_send_task", sent.send)
    return sent


@pytest.fixture
def pushed(monkeypatch):
    """The messages that reached the channel layer: (group, payloads)."""

    class Pushed(list):
        trouble: Exception | None = None

        async def group_send(self, group, payloads):
            trouble, self.trouble = self.trouble, None
            if trouble:
                raise trouble
            self.append((group, payloads))

        def all(self):
            return [payload for _, payloads in self for payload in payloads]

    pushed = Pushed()
    monkeypatch.setattr(dispatch, "_group_send", pushed.group_send)
    return pushed


@pytest.fixture
def held():
    """A dispatcher whose thread starts at `held.go()`."""

    class Held(Dispatcher):
        may = False

        def _ensure_running(self):
            if self.may:
                super()._ensure_running()

        def go(self):
            self.may = True
            self._ensure_running()

    return Held()


def test_task_is_sent(sent):
    Dispatcher().enqueue("orders.advance_sagas")

    until(lambda: sent == ["orders.advance_sagas"], "the task is sent")


def test_hundred_calls_while_one_is_being_sent_are_one_more(sent):
    dispatcher = Dispatcher()
    sent.gate.clear()
    dispatcher.enqueue("orders.advance_sagas")
    until(lambda: len(sent) == 1, "the first is being sent")

    for _ in range(100):
        dispatcher.enqueue("orders.advance_sagas")
    sent.gate.set()
    dispatcher.enqueue("payments.apply_webhooks")  # behind them

    until(lambda: "payments.apply_webhooks" in sent, "all are sent")
    assert 2 <= sent.count("orders.advance_sagas") <= 3


def test_caller_does_not_wait(sent, pushed):
    dispatcher = Dispatcher()
    sent.gate.clear()
    dispatcher.enqueue("orders.advance_sagas")
    until(lambda: sent, "the first is stuck in a frozen broker")

    began = time.monotonic()
    for _ in range(1000):
        dispatcher.enqueue("orders.advance_sagas")
        dispatcher.broadcast("orders.moved", [1])

    assert time.monotonic() - began < 20
    sent.gate.set()
    until(lambda: len(pushed.all()) == 1000, "all is sent once the broker answers")


def test_lost_task_does_not_prevent_the_next(sent, caplog):
    dispatcher = Dispatcher()
    sent.trouble = ConnectionError("no broker")
    dispatcher.enqueue("orders.advance_sagas")
    until(
        lambda: "a task or broadcast was lost: ConnectionError: no broker" in caplog.text,
        "it is lost",
    )
    sent.trouble = None

    dispatcher.enqueue("orders.advance_sagas")

    until(lambda: len(sent) == 2, "the next one is sent")


def test_broadcasts_arrive_in_order(pushed):
    dispatcher = Dispatcher()

    for number in range(1200):
        dispatcher.broadcast("orders.moved", [number])

    until(lambda: len(pushed.all()) == 1200, "all have arrived")
    assert pushed.all() == list(range(1200))


def test_broadcasts_of_many_commits_share_a_message(pushed, held):
    for number in range(500):
        held.broadcast("orders.moved", [number])
    held.go()

    until(lambda: len(pushed.all()) == 500, "all have arrived")
    assert [len(payloads) for _, payloads in pushed] == [200, 200, 100]
    assert pushed.all() == list(range(500))


def test_group_receives_its_own_payloads_only(pushed, held):
    for number, group in enumerate(["mugs", "mugs", "kettles", "mugs"]):
        held.broadcast(group, [number])
    held.go()

    until(lambda: len(pushed.all()) == 4, "all have arrived")
    assert pushed == [("mugs", [0, 1]), ("kettles", [2]), ("mugs", [3])]


def test_lost_message_is_logged_and_the_rest_is_sent(pushed, held, caplog):
    pushed.trouble = TimeoutError()
    held.broadcast("orders.moved", range(500))
    held.go()

    until(lambda: len(pushed.all()) == 300, "the rest has arrived")
    assert pushed.all() == list(range(200, 500))
    assert "a task or broadcast was lost: TimeoutError" in caplog.text


def test_oldest_broadcasts_are_dropped_beyond_the_backlog(monkeypatch, pushed):
    monkeypatch.setattr(dispatch, "BACKLOG", 3)
    dispatcher = Dispatcher()
    dispatcher._ensure_running = lambda: None  # the thread is stuck elsewhere

    dispatcher.broadcast("orders.moved", range(1, 6))

    assert [number for _, number in dispatcher._broadcasts] == [3, 4, 5]


def test_forked_child_sends_by_its_own_thread():
    """Celery's children come from a parent whose thread may run, or is just being started."""
    reading, writing = os.pipe()
    dispatch.enqueue_on_commit("nobody.runs.this")  # the parent's thread runs
    with dispatch._dispatcher._start_lock:  # and another of its threads holds the lock
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(8)
            dispatch._send_task = lambda name: os.write(writing, name.encode())
            dispatch._dispatcher.enqueue("orders.advance_sagas")
            signal.pause()
    os.close(writing)
    with os.fdopen(reading, "rb") as output:
        received = output.read(len("orders.advance_sagas"))
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert received == b"orders.advance_sagas"


class TestBetweenProcesses:
    """While a message is in the queue that no worker has taken yet, no other is added."""

    NAME = "orders.advance_sagas"

    @pytest.fixture(autouse=True)
    def nothing_queued(self):
        cache.delete(dispatch._queued_key(self.NAME))
        yield
        cache.delete(dispatch._queued_key(self.NAME))

    @pytest.fixture
    def queue(self, monkeypatch):
        sent = []
        monkeypatch.setattr(
            dispatch.current_app, "send_task", lambda name, **_: sent.append(name), raising=False
        )
        return sent

    def test_second_message_waits_until_the_first_is_taken(self, queue):
        dispatch._send_task(self.NAME)
        dispatch._send_task(self.NAME)
        assert queue == [self.NAME]

        dispatch._note_taken(task=SimpleNamespace(name=self.NAME))
        dispatch._send_task(self.NAME)

        assert queue == [self.NAME, self.NAME]

    def test_message_that_no_worker_takes_counts_as_lost_after_a_while(self, queue):
        dispatch._send_task(self.NAME)

        lasts = cache.pttl(dispatch._queued_key(self.NAME))

        assert 0 < lasts <= dispatch.QUEUED_FOR * 1000

    def test_without_redis_every_message_is_sent(self, queue, monkeypatch, settings):
        here = settings.CACHES["default"]
        settings.CACHES = {"default": here | {"LOCATION": "redis://127.0.0.1:1/1"}}

        dispatch._send_task(self.NAME)
        dispatch._send_task(self.NAME)
        dispatch._note_taken(task=SimpleNamespace(name=self.NAME))

        assert queue == [self.NAME, self.NAME]
