"""The intake when things are slow, full, away or over: nothing lost, nothing twice."""

import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection, connections

from apps.catalog.models import Variant
from apps.orders import acceptance, intake, intake_rows, queue_depth
from apps.orders.errors import (
    IdempotencyInFlight,
    IdempotencyKeyReused,
    OutcomeUnknown,
    Overloaded,
)
from apps.orders.intake import Accepted
from apps.orders.models import IdempotencyKey, Order
from apps.orders.pending import Stage
from tests.factories import a_kettle, a_mug
from tests.orders.checkouts import (
    a_checkout,
    everything,
    locked,
    pending,
    place,
    reserved,
    until,
    waiting_for_a_lock,
)

pytestmark = pytest.mark.usefixtures("open_shop")


@pytest.fixture
def mug() -> Variant:
    return a_mug(stock=50)


class Buyer(threading.Thread):
    """One who presses the button and waits; `said` is what she heard in the end."""

    def __init__(self, process: intake.Intake, request: intake.CheckoutRequest) -> None:
        super().__init__(daemon=True)
        self.pending = pending(request)
        self.said: object = None
        self._process = process
        self.start()

    def run(self) -> None:
        try:
            self.said = self._process.submit(self.pending)
        except Exception as refused:
            self.said = refused
        finally:
            connection.close()

    def hears(self) -> object:
        self.join(20)
        assert not self.is_alive(), "she waits for ever"
        return self.said


@pytest.fixture
def ours(another_process) -> intake.Intake:
    return another_process()


@pytest.fixture
def stuck(ours, mug) -> Iterator[Buyer]:
    """A buyer whose commit waits for somebody slow; over when the test ends."""
    with locked(mug):
        yield stand_still(ours, mug)


def stand_still(process: intake.Intake, mug: Variant) -> Buyer:
    buyer = Buyer(process, a_checkout((mug, 1), email="stuck@example.com"))
    until(waiting_for_a_lock, "the committer waits for the row")
    return buyer


def queue_up(process: intake.Intake, *requests: intake.CheckoutRequest) -> list[Buyer]:
    """Buyers one behind the other, in this order."""
    buyers = []
    for request in requests:
        length = len(process._queue)
        buyers.append(Buyer(process, request))
        until(lambda length=length: len(process._queue) > length, "she stands in the queue")
    return buyers


class TestCartThatIsGone:
    """Redis lost it after it was read: the key is all that is left to tell by."""

    def test_nobody_is_told_while_her_order_is_under_way(self, ours, stuck, monkeypatch):
        monkeypatch.setattr(intake, "_intake", ours)
        asked = stuck.pending.request

        with pytest.raises(IdempotencyInFlight):
            intake.recall(asked.scope, asked.key, asked.fingerprint)

    def test_then_she_is_told(self, ours, mug, monkeypatch):
        monkeypatch.setattr(intake, "_intake", ours)
        asked = a_checkout((mug, 1), cart_id=uuid4())
        assert intake.recall(asked.scope, asked.key, asked.fingerprint) is None
        made = ours.submit(pending(asked))

        told = intake.recall(asked.scope, asked.key, asked.fingerprint)

        assert told == replace(made, replayed=True)
        with pytest.raises(IdempotencyKeyReused):
            intake.recall(asked.scope, asked.key, bytes(32))
        assert intake.recall("user:1", asked.key, asked.fingerprint) is None


class TestFullQueue:
    def test_sheds_before_anything_is_written(self, ours, mug, settings):
        settings.INTAKE_QUEUE_MAX = 3
        kettle = a_kettle(stock=50)
        with locked(mug):
            first = stand_still(ours, mug)
            waiting = queue_up(ours, *(a_checkout((kettle, 1)) for _ in range(3)))
            before = everything()

            with pytest.raises(Overloaded) as shed:
                ours.submit(pending(a_checkout((kettle, 1))))

            assert shed.value.retry_after == 2
            assert everything() == before
        assert [type(buyer.hears()) for buyer in (first, *waiting)] == [Accepted] * 4
        assert Order.objects.count() == 4

    def test_takes_her_once_there_is_room(self, ours, mug, settings):
        settings.INTAKE_QUEUE_MAX = 1
        shed = a_checkout((mug, 1))
        with locked(mug):
            first = stand_still(ours, mug)
            (second,) = queue_up(ours, a_checkout((mug, 1)))
            with pytest.raises(Overloaded):
                ours.submit(pending(shed))
        first.hears()
        second.hears()

        assert ours.submit(pending(shed)).replayed is False

    def test_commits_in_batches_of_bounded_size(self, ours, mug, settings, monkeypatch):
        settings.INTAKE_BATCH_MAX = 4
        sizes: list[int] = []
        commit = acceptance.commit
        monkeypatch.setattr(
            intake, "commit", lambda batch, gauge: (sizes.append(len(batch)), commit(batch, gauge))
        )
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(10)))
        assert all(isinstance(buyer.hears(), Accepted) for buyer in (first, *rest))

        assert sizes == [1, 4, 4, 2]


class TestBoundedWait:
    def test_who_is_not_reached_is_taken_out_again(self, ours, mug, settings):
        with locked(mug):
            first = stand_still(ours, mug)
            settings.INTAKE_WAIT /= 100
            (late,) = queue_up(ours, a_checkout((mug, 1)))

            said = late.hears()

            assert isinstance(said, Overloaded)
            assert said.retry_after == 5
            assert late.pending.stage is Stage.WITHDRAWN
        assert isinstance(first.hears(), Accepted)
        assert (Order.objects.count(), reserved(mug)) == (1, 1)
        assert ours.submit(pending(late.pending.request)).replayed is False

    def test_who_is_being_committed_is_not_told_that_it_failed(self, ours, mug, settings):
        settings.INTAKE_WAIT /= 20
        with locked(mug):
            request = a_checkout((mug, 1))
            buyer = Buyer(ours, request)

            assert isinstance(buyer.hears(), IdempotencyInFlight)
            with pytest.raises(IdempotencyInFlight):  # still under way
                ours.submit(pending(request))

        until(Order.objects.exists, "the commit is through")
        until(lambda: not ours._in_flight, "its key is free again")
        again = ours.submit(pending(request))
        assert again.replayed is True
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_same_key_in_the_queue_is_in_flight(self, ours, mug):
        request = a_checkout((mug, 1))
        with locked(mug):
            first = stand_still(ours, mug)
            (waiting,) = queue_up(ours, request)

            with pytest.raises(IdempotencyInFlight) as told:
                ours.submit(pending(request))

            assert told.value.retry_after == 1
        assert isinstance(first.hears(), Accepted)
        assert waiting.hears().replayed is False
        assert ours.submit(pending(request)).replayed is True


class TestDatabaseAway:
    def test_before_the_commit_nothing_was_written(self, mug, monkeypatch):
        before = everything()
        write = intake_rows.write

        def die(*given):
            write(*given)
            with connection.cursor() as cursor:  # the server ends this session under our feet
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        monkeypatch.setattr(intake_rows, "write", die)
        request = a_checkout((mug, 1))

        with pytest.raises(Overloaded) as shed:
            place(request)

        assert shed.value.retry_after == 2
        assert everything() == before
        monkeypatch.undo()
        assert place(request).replayed is False, "the next checkout has a new connection"

    def test_everybody_in_the_batch_hears_the_same(self, ours, mug, monkeypatch):
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(3)))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
            assert isinstance(first.hears(), Overloaded)
        assert [type(buyer.hears()) for buyer in rest] == [Accepted] * 3
        assert reserved(mug) == 3

    def test_idle_connection_that_the_server_closed_is_no_shoppers_matter(self, ours, mug):
        ours.submit(pending(a_checkout((mug, 1))))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        until(lambda: others_connected() == 0, "the server has hung up")

        assert ours.submit(pending(a_checkout((mug, 1)))).replayed is False

    @pytest.mark.parametrize(
        ("fate", "orders"), [("swallow the answer", 1), ("swallow the question", 0)]
    )
    def test_commit_whose_answer_is_lost_is_told_by_the_same_key(
        self, ours, mug, lossy_line, fate, orders
    ):
        request = a_checkout((mug, 1))
        ours.submit(pending(a_checkout((mug, 1), email="warm@example.com")))
        before = Order.objects.count()
        lossy_line.fate_of_commit = fate

        with pytest.raises(OutcomeUnknown) as unknown:
            ours.submit(pending(request))

        assert unknown.value.retry_after == 2
        assert Order.objects.count() - before == orders
        lossy_line.fate_of_commit = ""
        again = ours.submit(pending(request))
        assert again.replayed is (orders == 1)
        assert again.order_id == IdempotencyKey.objects.get(key=request.key).order_id
        assert (Order.objects.count() - before, reserved(mug)) == (1, 2)


class TestDrain:
    def test_commits_what_is_queued_and_takes_nothing_more(self, ours, mug):
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(3)))
            committer = ours._thread
            closing = threading.Thread(target=ours.drain, args=[10])
            closing.start()
            until(lambda: ours._draining, "it closes")

            with pytest.raises(Overloaded):
                ours.submit(pending(a_checkout((mug, 1))))

        closing.join(20)
        assert not closing.is_alive()
        assert not committer.is_alive()
        assert [type(buyer.hears()) for buyer in (first, *rest)] == [Accepted] * 4
        assert reserved(mug) == 4

    def test_that_runs_out_of_patience_loses_nobody(self, ours, mug):
        """The commit takes longer than the drain may: those behind it are answered all the same."""
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(2)))

            ours.drain(0.05)

            with pytest.raises(Overloaded):
                ours.submit(pending(a_checkout((mug, 1))))
        assert [type(buyer.hears()) for buyer in (first, *rest)] == [Accepted] * 3
        assert reserved(mug) == 3

    def test_of_an_intake_that_never_ran_is_nothing(self, ours):
        ours.drain(1)

    def test_twice_is_once(self, ours, mug):
        ours.submit(pending(a_checkout((mug, 1))))
        ours.drain(10)
        ours.drain(10)

    def test_closes_the_committers_connection(self, ours, mug):
        ours.submit(pending(a_checkout((mug, 1))))

        ours.drain(10)

        until(lambda: others_connected() == 0, "the server has seen it go")


class TestFork:
    """A web server's worker, or Celery's child: the thread stayed behind in the parent."""

    def test_child_has_a_queue_and_a_thread_of_its_own(self, mug):
        place(a_checkout((mug, 1)))
        request = a_checkout((mug, 1))

        assert in_a_child(lambda: place(request)) == "accepted"

        assert reserved(mug) == 2
        assert place(request).replayed is True

    def test_child_does_not_commit_what_the_parent_has_queued(self, mug):
        ours = intake._intake
        with locked(mug):
            first = stand_still(ours, mug)
            (waiting,) = queue_up(ours, a_checkout((mug, 1)))
            kettle = a_kettle(stock=1)

            assert in_a_child(lambda: place(a_checkout((kettle, 1)))) == "accepted"

            assert Order.objects.count() == 1
        assert [type(buyer.hears()) for buyer in (first, waiting)] == [Accepted] * 2
        assert (reserved(mug), reserved(kettle)) == (2, 1)

    def test_child_of_a_busy_moment_is_not_stuck(self, mug):
        """Forked while another thread is at the queue: its lock is held for ever in the child."""
        place(a_checkout((mug, 1)))
        at_the_queue, forked = threading.Event(), threading.Event()

        def busy() -> None:
            with intake._intake._changed:
                at_the_queue.set()
                forked.wait(20)

        thread = threading.Thread(target=busy)
        thread.start()
        assert at_the_queue.wait(10)
        try:
            said = in_a_child(lambda: place(a_checkout((mug, 1))), after_fork=forked.set)
        finally:
            forked.set()
            thread.join()

        assert said == "accepted"


def others_connected() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        count: int = cursor.fetchone()[0]
        return count


def in_a_child(call: Callable[[], object], *, after_fork: Callable[[], None] = int) -> str:
    """What `call` came to in a forked process; a child that hangs is ended by its alarm."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(8)
        said = "nothing"
        try:
            said = "accepted" if isinstance(call(), Accepted) else "something else"
        except BaseException as error:
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)  # no clean-up: the parent's connections are not the child's to close
    after_fork()
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said_by_child:
        return said_by_child.read() or "the child hung"


class LossyLine(threading.Thread):
    """Stands between a process and PostgreSQL, and drops the line in the moment of the COMMIT."""

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(daemon=True)
        self.fate_of_commit = ""
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / Path(server).name))
        self._listener.listen()
        self.start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            threading.Thread(target=self._carry, args=[client, server], daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is client and b"COMMIT\0" in data and self.fate_of_commit:
                        if self.fate_of_commit == "swallow the answer":
                            server.sendall(data)
                            server.recv(65536)  # it is committed, and nobody hears of it
                        return
                    (server if end is client else client).sendall(data)

    def hang_up(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def lossy_line(tmp_path: Path) -> Iterator[LossyLine]:
    """New connections go through it; the test's own, open already, does not."""
    connection.ensure_connection()
    default = connections.settings["default"]
    port = connection.connection.info.port
    line = LossyLine(tmp_path, f"{default['HOST']}/.s.PGSQL.{port}")
    before, default["HOST"] = default["HOST"], str(tmp_path)
    yield line
    default["HOST"] = before
    line.hang_up()


def test_full_queue_takes_nobody_and_still_knows_whom_it_took(
    mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = a_checkout((mug, 1))
    first = place(taken)
    monkeypatch.setattr(queue_depth, "SHORT", 0)
    monkeypatch.setattr(queue_depth, "DEEPEST", 0)
    before = everything()

    with pytest.raises(Overloaded) as refused:
        place(a_checkout((mug, 1)))
    again = place(taken)

    assert refused.value.retry_after == 30
    assert (again.order_id, again.replayed) == (first.order_id, True)
    assert everything() == before


def test_committer_watches_the_queue_while_nobody_comes_and_outlives_what_it_sees(
    ours: intake.Intake, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "IDLE", 0.01)
    monkeypatch.setattr(queue_depth, "SAMPLE_EVERY", 0.0)
    Buyer(ours, a_checkout((mug, 1))).hears()
    looked = []

    def look() -> tuple[int, int]:
        looked.append(threading.current_thread().name)
        raise RuntimeError("whatever it may be")

    monkeypatch.setattr(queue_depth, "figures", look)
    until(lambda: len(looked) > 1, "it looks, and looks again")
    monkeypatch.undo()

    assert set(looked) == {"intake"}
    assert isinstance(Buyer(ours, a_checkout((mug, 1))).hears(), Accepted)
