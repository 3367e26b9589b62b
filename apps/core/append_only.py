"""The one exception of the append-only tables: a text loses a person who is erased.

The trigger `refuse_change` refuses every UPDATE and DELETE of movements, events and decisions. Here
it lets an UPDATE pass that changes nothing but free texts and actors; amounts, moments and
references stay refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

SETTING = "storefront.erasing"


@contextmanager
def texts_may_lose_a_person() -> Iterator[None]:
    """Within it, and within the caller's transaction, texts of append-only rows may change."""
    with transaction.atomic():
        _set("on")
        yield
        _set("off")  # after an error the rollback does it


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, value])
