"""A connection that serves the next test too brings nothing along from the last one."""

import psycopg
import pytest
from django.db import connection

from apps.catalog.models import Product
from tests.emptying import empty_tables, is_as_new
from tests.factories import a_mug

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = 20_26


def ask(query: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query)
        (found,) = cursor.fetchone()
    return found


def test_rows_are_gone_and_the_connection_stays() -> None:
    a_mug()
    served_by = ask("SELECT pg_backend_pid()")

    empty_tables()

    assert not Product.objects.exists()
    assert is_as_new()
    assert ask("SELECT pg_backend_pid()") == served_by


def test_settings_are_those_of_a_new_connection() -> None:
    settings = "SELECT array_agg(name || '=' || setting ORDER BY name) FROM pg_settings"
    before = ask(settings)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 50; SET session_replication_role = replica")
        cursor.execute("SET TimeZone = 'Europe/Berlin'")
    assert ask(settings) != before

    empty_tables()

    assert ask(settings) == before


def test_locks_and_temporary_tables_are_gone() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({LOCK}); CREATE TEMPORARY TABLE kept (id int)")

    empty_tables()

    assert ask("SELECT to_regclass('pg_temp.kept')") is None
    assert ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_connection_without_autocommit_is_given_up() -> None:
    connection.set_autocommit(False)
    try:
        assert not is_as_new()
    finally:
        connection.set_autocommit(True)


def test_connection_inside_a_transaction_is_given_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        assert not is_as_new()
        cursor.execute("ROLLBACK")


def test_connection_that_was_lost_is_given_up() -> None:
    with pytest.raises(psycopg.Error), connection.cursor() as cursor:
        cursor.cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    assert not is_as_new()

    connection.close()
