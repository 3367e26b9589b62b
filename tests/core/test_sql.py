"""Statements bound and prepared on Django's connection."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from apps.core import sql

pytestmark = pytest.mark.django_db

ODD = "SELECT n.id, n.word FROM json_to_recordset(%s::json) AS n(id uuid, word text)"


def prepared_texts() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [text for (text,) in cursor.fetchall()]


def test_a_statement_is_planned_once_and_kept() -> None:
    """Django disables psycopg's prepared statements unless the settings enable them."""
    for number in (1, 2):
        assert sql.fetch("SELECT %s::int + 40 AS kept", [number]) == [(number + 40,)]
    assert len([text for text in prepared_texts() if "AS kept" in text]) == 1


def test_django_own_statements_are_not_prepared() -> None:
    before = len(prepared_texts())
    for _ in range(7):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::int AS unkept", [1])
    assert len(prepared_texts()) == before


def test_a_document_is_a_batch_of_rows() -> None:
    one, two = uuid4(), uuid4()
    rows = [{"id": one, "word": "ünïcode \"and\" 'quotes'"}, {"id": two, "word": None}]
    assert sql.fetch(ODD, [sql.document(rows)]) == [
        (one, "ünïcode \"and\" 'quotes'"),
        (two, None),
    ]
    assert sql.fetch(ODD, [sql.document([])]) == []


def test_errors_are_djangos(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE once (id int PRIMARY KEY)")
    sql.run("INSERT INTO once VALUES (%s)", [1])
    with pytest.raises(IntegrityError):
        sql.run("INSERT INTO once VALUES (%s)", [1])
    assert sql.run("INSERT INTO once VALUES (%s)", [2]) == 1


LISTED = (
    "SELECT n FROM unnest(ARRAY['a', 'b', 'c']) AS n WHERE n = ANY(%(listed)s::text[]) ORDER BY n"
)


@pytest.mark.parametrize("count", [1, 2, 3, 5, sql.LISTED_MAX, sql.LISTED_MAX + 1])
def test_a_list_of_any_length_finds_what_is_in_it(count: int) -> None:
    others = [f"x{number}" for number in range(count - 1)]

    assert sql.fetch_listed(LISTED, [*others, "b"]) == [("b",)]


def test_a_statement_about_one_row_is_planned_once() -> None:
    """With an array PostgreSQL plans it anew each time: that is five times what it costs to run."""
    key = "SELECT relname AS planned_once FROM pg_class WHERE relname = ANY(%(listed)s::text[])"
    for _ in range(10):
        sql.fetch_listed(key, ["pg_class"])

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%AS planned_once%"],
        )
        assert cursor.fetchone() == (5,)  # after the five by which PostgreSQL judges
