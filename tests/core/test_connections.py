"""A connection that the server has closed is noticed before a request fails."""

import pytest
from django.core.signals import request_started
from django.db import OperationalError, connection, transaction

from apps.core.connections import drop_dead_connections, is_closed_by_server
from tests.orders.checkouts import until
from tests.orders.purchases import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def server_process() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
        return pid


def terminate_session(pid: int) -> None:
    """The server ends a session, as it does with all of them when it is restarted."""

    def terminate(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    at_once(1, terminate)
    until(lambda: is_closed_by_server(connection), "the connection is closed")


def test_open_connection_is_kept():
    before = server_process()

    drop_dead_connections()

    assert not is_closed_by_server(connection)
    assert server_process() == before


def test_closed_one_is_replaced_before_the_next_query():
    before = server_process()
    terminate_session(before)

    request_started.send(sender=None)

    assert server_process() != before


def test_control_without_the_check_the_next_query_fails():
    terminate_session(server_process())

    with pytest.raises(OperationalError):
        server_process()
    connection.close()


def test_connection_within_a_transaction_is_kept():
    with transaction.atomic():
        before = server_process()

        drop_dead_connections()

        assert server_process() == before


def test_thread_without_a_connection_opens_none():
    def look(_: int) -> bool:
        drop_dead_connections()
        return connection.connection is None

    assert at_once(1, look) == [True]


def test_connection_closed_by_the_client_counts_as_closed():
    server_process()
    connection.connection.close()

    assert is_closed_by_server(connection)
    drop_dead_connections()
    assert server_process()
