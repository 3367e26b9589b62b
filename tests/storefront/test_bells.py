"""Words after a commit: coalesced, off the caller's thread, and lost rather than waited for."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from storefront import bells
from storefront.bells import Ringer


def until(condition, what):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


@pytest.fixture
def rung(monkeypatch):
    """The tasks that were sent; `rung.gate` holds the sending up until it is set."""

    class Rung(list):
        gate = threading.Event()
        trouble: Exception | None = None

        def send(self, name):
            self.append(name)
            assert self.gate.wait(10)
            if self.trouble:
                raise self.trouble

    rung = Rung()
    rung.gate = threading.Event()
    rung.gate.set()
    monkeypatch.setattr(bells, "_send_task", rung.send)
    return rung


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
    monkeypatch.setattr(bells, "_group_send", pushed.group_send)
    return pushed


@pytest.fixture
def held():
    """A ringer whose thread waits for `held.go()`."""

    class Held(Ringer):
        may = False

        def _ensure_running(self):
            if self.may:
                super()._ensure_running()

        def go(self):
            self.may = True
            self._ensure_running()

    return Held()


def test_bell_is_heard(rung):
    Ringer().ring("orders.advance_sagas")

    until(lambda: rung == ["orders.advance_sagas"], "the bell is heard")


def test_hundred_rings_while_one_is_on_its_way_are_one_more(rung):
    ringer = Ringer()
    rung.gate.clear()
    ringer.ring("orders.advance_sagas")
    until(lambda: len(rung) == 1, "the first is on its way")

    for _ in range(100):
        ringer.ring("orders.advance_sagas")
    rung.gate.set()
    ringer.ring("payments.apply_webhooks")  # behind them

    until(lambda: "payments.apply_webhooks" in rung, "all are heard")
    assert 2 <= rung.count("orders.advance_sagas") <= 3


def test_whoever_rings_or_pushes_does_not_wait(rung, pushed):
    ringer = Ringer()
    rung.gate.clear()
    ringer.ring("orders.advance_sagas")
    until(lambda: rung, "the first is stuck in a frozen broker")

    began = time.monotonic()
    for _ in range(1000):
        ringer.ring("orders.advance_sagas")
        ringer.push("orders.moved", [1])

    assert time.monotonic() - began < 1
    rung.gate.set()
    until(lambda: len(pushed.all()) == 1000, "all is sent once the broker thaws")


def test_lost_bell_does_not_silence_the_next(rung, caplog):
    ringer = Ringer()
    rung.trouble = ConnectionError("no broker")
    ringer.ring("orders.advance_sagas")
    until(
        lambda: "a bell or push was lost: ConnectionError: no broker" in caplog.text, "it is lost"
    )
    rung.trouble = None

    ringer.ring("orders.advance_sagas")

    until(lambda: len(rung) == 2, "the next one is heard")


def test_pushes_arrive_in_their_order(pushed):
    ringer = Ringer()

    for number in range(1200):
        ringer.push("orders.moved", [number])

    until(lambda: len(pushed.all()) == 1200, "all have arrived")
    assert pushed.all() == list(range(1200))


def test_pushes_of_many_commits_travel_together(pushed, held):
    for number in range(500):
        held.push("orders.moved", [number])
    held.go()

    until(lambda: len(pushed.all()) == 500, "all have arrived")
    assert [len(payloads) for _, payloads in pushed] == [200, 200, 100]
    assert pushed.all() == list(range(500))


def test_groups_are_told_only_what_is_theirs(pushed, held):
    for number, group in enumerate(["mugs", "mugs", "kettles", "mugs"]):
        held.push(group, [number])
    held.go()

    until(lambda: len(pushed.all()) == 4, "all have arrived")
    assert pushed == [("mugs", [0, 1]), ("kettles", [2]), ("mugs", [3])]


def test_lost_message_is_told_and_the_rest_goes_on(pushed, held, caplog):
    pushed.trouble = TimeoutError()
    held.push("orders.moved", range(500))
    held.go()

    until(lambda: len(pushed.all()) == 300, "the rest has arrived")
    assert pushed.all() == list(range(200, 500))
    assert "a bell or push was lost: TimeoutError" in caplog.text


def test_while_nobody_takes_them_the_oldest_are_let_go(monkeypatch, pushed):
    monkeypatch.setattr(bells, "BACKLOG", 3)
    ringer = Ringer()
    ringer._ensure_running = lambda: None  # the thread is stuck elsewhere

    ringer.push("orders.moved", range(1, 6))

    assert [number for _, number in ringer._pushes] == [3, 4, 5]


def test_forked_child_rings_by_itself():
    """Celery's children come from a parent that may have rung already, or is just ringing."""
    reading, writing = os.pipe()
    bells.ring("nobody.listens")  # the parent's thread runs
    with bells._ringer._start_lock:  # and one of its threads is in the middle of something
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(8)
            bells._send_task = lambda name: os.write(writing, name.encode())
            bells._ringer.ring("orders.advance_sagas")
            signal.pause()
    os.close(writing)
    with os.fdopen(reading, "rb") as heard:
        said = heard.read(len("orders.advance_sagas"))
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert said == b"orders.advance_sagas"


class TestBetweenProcesses:
    """While a bell is in the queue that no worker has heard yet, nobody adds another."""

    NAME = "orders.advance_sagas"

    @pytest.fixture(autouse=True)
    def nothing_rung(self):
        cache.delete(bells._unheard(self.NAME))
        yield
        cache.delete(bells._unheard(self.NAME))

    @pytest.fixture
    def queue(self, monkeypatch):
        sent = []
        monkeypatch.setattr(
            bells.current_app, "send_task", lambda name, **_: sent.append(name), raising=False
        )
        return sent

    def test_second_bell_waits_until_the_first_is_heard(self, queue):
        bells._send_task(self.NAME)
        bells._send_task(self.NAME)
        assert queue == [self.NAME]

        bells._heard(task=SimpleNamespace(name=self.NAME))
        bells._send_task(self.NAME)

        assert queue == [self.NAME, self.NAME]

    def test_bell_that_nobody_hears_counts_as_lost_after_a_while(self, queue):
        bells._send_task(self.NAME)

        lasts = cache.pttl(bells._unheard(self.NAME))

        assert 0 < lasts <= bells.UNHEARD_FOR * 1000

    def test_without_redis_every_bell_is_rung(self, queue, monkeypatch, settings):
        here = settings.CACHES["default"]
        settings.CACHES = {"default": here | {"LOCATION": "redis://127.0.0.1:1/1"}}

        bells._send_task(self.NAME)
        bells._send_task(self.NAME)
        bells._heard(task=SimpleNamespace(name=self.NAME))

        assert queue == [self.NAME, self.NAME]
