"""The intake without a database, or without the answer to its COMMIT."""

import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections

from apps.orders.errors import OutcomeUnknown, Overloaded
from apps.orders.intake import Accepted, writing
from apps.orders.models import IdempotencyKey, Order
from tests.orders.buyers import other_connections, queue_up, stand_still
from tests.orders.checkouts import a_checkout, everything, locked, pending, place, reserved, until

pytestmark = pytest.mark.usefixtures("open_shop")


class TestDatabaseAway:
    def test_before_the_commit_nothing_was_written(self, mug, monkeypatch):
        before = everything()
        write = writing.write

        def die(*given):
            write(*given)
            with (
                connection.cursor() as cursor
            ):  # the server ends this session during the transaction
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        monkeypatch.setattr(writing, "write", die)
        request = a_checkout((mug, 1))

        with pytest.raises(Overloaded) as shed:
            place(request)

        assert shed.value.retry_after == 2
        assert everything() == before
        monkeypatch.undo()
        assert place(request).replayed is False, "the next checkout has a new connection"

    def test_whole_batch_gets_the_same_outcome(self, ours, mug, monkeypatch):
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(3)))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
            assert isinstance(first.result(), Overloaded)
        assert [type(buyer.result()) for buyer in rest] == [Accepted] * 3
        assert reserved(mug) == 3

    def test_idle_connection_that_the_server_closed_fails_no_checkout(self, ours, mug):
        ours.submit(pending(a_checkout((mug, 1))))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        until(lambda: not other_connections(), "the server has hung up")

        assert ours.submit(pending(a_checkout((mug, 1)))).replayed is False

    @pytest.mark.parametrize(
        ("fate", "orders"), [("swallow the answer", 1), ("swallow the question", 0)]
    )
    def test_commit_whose_answer_is_lost_is_found_by_the_same_key(
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


class LossyLine(threading.Thread):
    """A proxy between a process and PostgreSQL that cuts the connection during the COMMIT."""

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
                            server.recv(65536)  # it is committed, and the answer is lost
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
