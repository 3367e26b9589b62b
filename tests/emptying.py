"""Empty tables after a test with real commits, in milliseconds.

Django's own way truncates every table (dj-stripe brings a hundred) and writes all permissions and
content types anew: a second per test. Here the tables of the shop and of dj-stripe are emptied by
DELETE; what migrations and Django's set-up wrote elsewhere stays.
"""

from django.apps import apps
from django.db import connection

KEPT = {"contenttypes", "sites", "migrations"}
_statement = ""


def empty_tables() -> None:
    """Delete all rows that tests can have written."""
    with connection.cursor() as cursor:
        # The ledger's rows refuse to be deleted, and foreign keys would want an order.
        cursor.execute(f"SET session_replication_role = replica; {_deletions()}")
        cursor.execute("RESET session_replication_role")


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
