"""Files that are safe to open in a spreadsheet."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.backoffice.csv_export import lines, quoted


@pytest.mark.parametrize(
    "typed",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"],
)
def test_cell_that_would_be_executed_is_quoted(typed: str) -> None:
    assert quoted(typed) == f"'{typed}"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("Mug", "Mug"),
        ("a=b", "a=b"),
        (-5, -5),
        (Decimal("-1.50"), Decimal("-1.50")),
        (True, "yes"),
        (None, ""),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 12, 30, tzinfo=UTC), "2026-03-01T12:30:00+00:00"),
    ],
)
def test_other_cells_stay_what_they_are(value: Any, cell: Any) -> None:
    assert quoted(value) == cell


def test_commas_quotes_and_line_breaks_stay_in_their_cell() -> None:
    hostile = 'a,"b"\n=c'
    text = "".join(lines([("first", lambda row: row), ("second", lambda row: 1)], [hostile]))

    rows = list(csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True)))

    assert rows == [["first", "second"], [hostile, "1"]]
