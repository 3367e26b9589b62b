"""A connection that the server has hung up on is noticed before it fails somebody."""

import pytest
from django.core.signals import request_started
from django.db import OperationalError, connection, transaction

from storefront.connections import drop_dead_connections, has_hung_up
from tests.orders.checkouts import until
from tests.orders.purchases import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def server_process() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
        return pid


def hang_up(pid: int) -> None:
    """The server ends a session, as it does with all of them when it is restarted."""

    def terminate(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    at_once(1, terminate)
    until(lambda: has_hung_up(connection), "the line is dead")


def test_living_connection_is_kept():
    before = server_process()

    drop_dead_connections()

    assert not has_hung_up(connection)
    assert server_process() == before


def test_dead_one_is_replaced_before_the_next_question():
    before = server_process()
    hang_up(before)

    request_started.send(sender=None)

    assert server_process() != before


def test_control_without_the_glance_the_first_shopper_sees_an_error():
    hang_up(server_process())

    with pytest.raises(OperationalError):
        server_process()
    connection.close()


def test_connection_within_a_transaction_is_not_taken_away():
    with transaction.atomic():
        before = server_process()

        drop_dead_connections()

        assert server_process() == before


def test_thread_without_a_connection_makes_none():
    def look(_: int) -> bool:
        drop_dead_connections()
        return connection.connection is None

    assert at_once(1, look) == [True]


def test_closed_connection_is_of_no_use():
    server_process()
    connection.connection.close()

    assert has_hung_up(connection)
    drop_dead_connections()
    assert server_process()
