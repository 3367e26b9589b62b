"""Cursors: pages that neither skip nor repeat a row when rows are added or deleted in between.

A cursor holds the values of the ordering's columns where the last page ended (a keyset), so page
one thousand costs the same as page one. An ordering by relevance has no column to continue from;
its cursor is a position in the list.

A cursor is input from outside: one that is not even in its letters is a 400, and anything in it
that this module would not write is a page that does not exist, a 404.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from rest_framework.request import Request

from apps.api import parameters
from apps.core.problems import Problem

PAGE_SIZE = 24
PAGE_SIZE_MAX = 100
POSITION_MAX = 10_000
LETTERS = re.compile(r"[A-Za-z0-9_-]{1,1000}")


@dataclass(frozen=True)
class Column:
    """One column of an ordering. The last of an ordering is unique."""

    name: str
    descending: bool = False

    def order(self, *, backwards: bool) -> str:
        return f"-{self.name}" if self.descending != backwards else self.name

    def beyond(self, *, backwards: bool) -> str:
        return f"{self.name}__{'lt' if self.descending != backwards else 'gt'}"


Ordering = Sequence[Column]


def page(
    rows: QuerySet,
    ordering: Ordering | None,
    request: Request,
    as_document: Callable[[Any], Any],
) -> dict[str, Any]:
    """`{results, next, previous}` of `rows` in `ordering`; None keeps the order of the rows.

    Raises Problem 400 for a cursor or a page size that is not valid, 404 for a cursor that leads
    nowhere.
    """
    size = _size(request)
    cursor = _Cursor.read(request.query_params.get("cursor"))
    if ordering is None:
        found, next_cursor, previous_cursor = _by_position(rows, cursor, size)
    else:
        found, next_cursor, previous_cursor = _by_keyset(rows, ordering, cursor, size)
    return {
        "results": [as_document(row) for row in found],
        "next": _address(request, next_cursor),
        "previous": _address(request, previous_cursor),
    }


@dataclass(frozen=True)
class _Cursor:
    backwards: bool = False
    values: tuple[Any, ...] = ()

    @classmethod
    def read(cls, text: str | None) -> "_Cursor":
        if not text:
            return cls()
        if not LETTERS.fullmatch(text):
            parameters.refuse("cursor", "This is no cursor of ours.")
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            backwards, *values = json.loads(base64.urlsafe_b64decode(padded))
        except (ValueError, TypeError, binascii.Error, RecursionError):
            _refuse_cursor()
        if type(backwards) is not bool or not values:
            _refuse_cursor()
        if any(type(v) not in (str, int, bool) or (type(v) is str and "\x00" in v) for v in values):
            _refuse_cursor()
        return cls(backwards, tuple(values))

    def text(self) -> str:
        packed = json.dumps([self.backwards, *self.values], separators=(",", ":"))
        return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _by_keyset(
    rows: QuerySet, ordering: Ordering, cursor: _Cursor, size: int
) -> tuple[list[Any], _Cursor | None, _Cursor | None]:
    """A page, with the cursors of the next and the previous one."""
    back = cursor.backwards
    if cursor.values:
        rows = rows.filter(_beyond(rows.model, ordering, cursor))
    found = list(rows.order_by(*(column.order(backwards=back) for column in ordering))[: size + 1])
    more, found = len(found) > size, found[:size]
    if back:
        found.reverse()
    if not found:
        return [], None, None
    # The side of the last page has rows; the other side only when one more row was found.
    has_next, has_previous = (True, more) if back else (more, bool(cursor.values))
    first, last = (
        _Cursor(b, _values(row, ordering)) for b, row in ((True, found[0]), (False, found[-1]))
    )
    return found, last if has_next else None, first if has_previous else None


def _beyond(model: type[models.Model], ordering: Ordering, cursor: _Cursor) -> Q:
    """(a, b) beyond (x, y): a beyond x, or a equal to x and b beyond y."""
    if len(cursor.values) != len(ordering):
        _refuse_cursor()
    values = [_typed(model, c, v) for c, v in zip(ordering, cursor.values, strict=True)]
    condition = Q()
    equal: dict[str, Any] = {}
    for column, value in zip(ordering, values, strict=True):
        beyond = column.beyond(backwards=cursor.backwards)
        condition |= Q(**equal, **{beyond: value})
        equal[column.name] = value
    return condition


def _typed(model: type[models.Model], column: Column, value: Any) -> Any:
    field = model._meta.get_field(column.name)
    assert isinstance(field, models.Field)
    try:
        if isinstance(field, models.IntegerField) and type(value) is not int:
            _refuse_cursor()
        return field.to_python(value)
    except (ValidationError, ValueError, TypeError, OverflowError):
        _refuse_cursor()


def _values(row: Any, ordering: Ordering) -> tuple[Any, ...]:
    values = [getattr(row, column.name) for column in ordering]
    return tuple(v if type(v) in (int, str, bool) else _as_text(v) for v in values)


def _as_text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _by_position(
    rows: QuerySet, cursor: _Cursor, size: int
) -> tuple[list[Any], _Cursor | None, _Cursor | None]:
    """As `_by_keyset`; the cursor is the number of rows before the page."""
    position = cursor.values[0] if cursor.values else 0
    if type(position) is not int or not 0 <= position <= POSITION_MAX or len(cursor.values) > 1:
        _refuse_cursor()
    found = list(rows[position : position + size + 1])
    following = _Cursor(False, (position + size,)) if len(found) > size else None
    return found[:size], following, _Cursor(False, (max(0, position - size),)) if position else None


def _size(request: Request) -> int:
    text = request.query_params.get("page_size")
    if text is None:
        return PAGE_SIZE
    if not (
        text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= PAGE_SIZE_MAX
    ):
        parameters.refuse("page_size", f"From 1 to {PAGE_SIZE_MAX}.")
    return int(text)


def _address(request: Request, cursor: _Cursor | None) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor.text()
    return f"{request.build_absolute_uri(request.path)}?{query.urlencode()}"


def _refuse_cursor() -> NoReturn:
    message = "There is no such page; begin with the first."
    raise Problem(
        404,
        "not_found",
        message,
        errors=[{"field": "cursor", "code": "not_found", "message": message}],
    )
