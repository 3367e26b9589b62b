"""Queries of the benchmarks that the shop itself never makes."""

from typing import Any

from django.db import connection


def sql(statement: str, *given: Any) -> list[tuple[Any, ...]]:
    """The rows of `statement`; none when it returns none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall() if cursor.description else []
