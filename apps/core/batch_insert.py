"""One statement that writes a batch of rows into the tables of several owners.

Six tables in one statement cost one round trip to PostgreSQL instead of six. Each owner still keeps
the names of its table and columns to itself: it provides a `BatchInsert`, and the caller composes
the statement once, at import.

The rows travel as one JSON document. PostgreSQL takes it apart faster than Python writes thirty
arrays.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchInsert:
    """What one owner adds to the statement.

    `columns` are the fields of a row that this owner reads and no other room provides, as name and
    type ("payment_id uuid, return_url text"); empty where it needs none. `insert` is an INSERT that
    selects from `batch`, which has the columns of all parts.
    """

    columns: str
    insert: str


def compose(*parts: BatchInsert) -> str:
    """The statement of these parts; its parameter `batch` is of `sql.document`.

    The last INSERT is the main statement, the others are CTEs. PostgreSQL runs a data-modifying CTE
    exactly once and to its end, whether it is read or not (manual, 7.8.4).
    """
    columns = ", ".join(part.columns for part in parts if part.columns)
    *first, last = parts
    ctes = "".join(f", part_{n} AS ({part.insert})" for n, part in enumerate(first))
    return (
        "WITH batch AS MATERIALIZED (SELECT * FROM json_to_recordset(%(batch)s::json)"  # noqa: S608
        f" AS b({columns})){ctes} {last.insert}"
    )
