"""Several owners' inserts in one statement."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import sql
from apps.core.batch_insert import BatchInsert, compose

pytestmark = pytest.mark.django_db

BOOKS = BatchInsert(
    columns="id int, title text",
    insert="INSERT INTO books (id, title) SELECT id, title FROM batch",
)
COUNTS = BatchInsert(
    columns="", insert="INSERT INTO counts (id, copies) SELECT id, %(copies)s::int FROM batch"
)
PRICES = BatchInsert(
    columns="price int", insert="INSERT INTO prices (id, price) SELECT id, price FROM batch"
)


@pytest.fixture(autouse=True)
def tables() -> None:
    for table in ("books (id int, title text)", "counts (id int, copies int)"):
        sql.run(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP")
    sql.run("CREATE TEMPORARY TABLE prices (id int, price int) ON COMMIT DROP")


def test_each_part_writes_its_own_table_in_one_statement() -> None:
    rows = [{"id": 1, "title": "Tea", "price": 900}, {"id": 2, "title": "Mugs", "price": 1200}]

    with CaptureQueriesContext(connection) as queries:
        sql.run(compose(BOOKS, COUNTS, PRICES), {"batch": sql.document(rows), "copies": 3})

    assert len(queries) == 1
    assert sql.fetch("SELECT * FROM books ORDER BY id") == [(1, "Tea"), (2, "Mugs")]
    assert sql.fetch("SELECT * FROM counts ORDER BY id") == [(1, 3), (2, 3)]
    assert sql.fetch("SELECT * FROM prices ORDER BY id") == [(1, 900), (2, 1200)]


def test_one_part_alone_is_a_statement_too() -> None:
    sql.run(compose(BOOKS), {"batch": sql.document([{"id": 1, "title": "Tea"}])})

    assert sql.fetch("SELECT * FROM books") == [(1, "Tea")]
