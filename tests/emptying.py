"""Empty tables after a test with real commits, in milliseconds.

Django's own way truncates every table (dj-stripe brings a hundred) and writes all permissions and
content types anew: a second per test. Here the tables of the shop and of dj-stripe are emptied by
DELETE; what migrations and Django's set-up wrote elsewhere stays.

Django closes the connection as well. A new one takes PostgreSQL 10 to 30 ms of processor time: its
process knows no table yet, and reads the system catalog for the first statements. So the connection
is kept where it can be made as good as new.
"""

from django.apps import apps
from django.db import connection
from psycopg.pq import TransactionStatus

KEPT = {"contenttypes", "sites", "migrations"}
# Settings are again those that the connection began with; the prepared statements, which psycopg
# counts, stay. Locks last: it is the only one with a result.
AS_NEW = "RESET ALL; UNLISTEN *; DISCARD TEMP; SELECT pg_advisory_unlock_all()"
_statement = ""


def empty_tables() -> None:
    """Delete all rows that tests can have written."""
    with connection.cursor() as cursor:
        # The ledger's rows refuse to be deleted, and foreign keys would want an order.
        cursor.execute(f"SET session_replication_role = replica; {_deletions()}")
        cursor.execute(AS_NEW)


def is_as_new() -> bool:
    """Whether the connection that `empty_tables` has used may serve the next test."""
    raw = connection.connection
    return (
        raw is not None
        and raw.info.transaction_status == TransactionStatus.IDLE
        and connection.get_autocommit()
        and not connection.in_atomic_block
        and not connection.execute_wrappers
    )


def _deletions() -> str:
    global _statement
    if not _statement:
        existing = set(connection.introspection.table_names())
        tables = {
            model._meta.db_table
            for model in apps.get_models(include_auto_created=True)
            if model._meta.app_label not in KEPT and model._meta.db_table != "auth_permission"
        }
        _statement = "; ".join(f'DELETE FROM "{table}"' for table in sorted(tables & existing))
    return _statement
