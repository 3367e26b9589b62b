"""Whether a text search finds anything, read from the index."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet


def is_any(rows: QuerySet[Any]) -> bool:
    """As `rows.exists()`, for rows that are found by the index of their words.

    For LIMIT 1 PostgreSQL hopes to meet a match soon and reads the table from its beginning. Where
    there is none, as for each misspelt word, it takes the words of 100,000 products apart in vain:
    1.7 s instead of 0.1 ms. A materialized part is planned as if all of its rows were wanted, and
    is read no further than the first.
    """
    try:
        statement, values = rows.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return False
    with connections[rows.db].cursor() as cursor:
        cursor.execute(
            f"WITH found AS MATERIALIZED ({statement}) SELECT 1 FROM found LIMIT 1",  # noqa: S608
            values,
        )
        return cursor.fetchone() is not None
