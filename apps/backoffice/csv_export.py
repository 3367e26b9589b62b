"""Lists as CSV files that are safe to open.

A spreadsheet executes a cell that begins with `=`, `+`, `-` or `@`, and some do so after a leading
tab or carriage return. Names, notes and addresses are typed by strangers, so such a cell gets an
apostrophe in front, and is then shown as text. Numbers stay numbers, negative ones too.
Source: OWASP, "CSV Injection".
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.backoffice.sign_in import reauthentication

EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Column = tuple[str, Callable[[Any], Any]]


def quoted(value: Any) -> Any:
    """`value` as a cell that no spreadsheet executes; numbers and times are not changed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, Decimal)):
        return value
    if isinstance(value, datetime):
        return value.astimezone(timezone.get_current_timezone()).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    # A spreadsheet ignores blanks before the sign, so they are ignored here, too.
    return f"'{text}" if text.lstrip(" ").startswith(EXECUTED) else text


class _Line:
    """A file whose `write` returns the line instead of storing it."""

    def write(self, line: str) -> str:
        return line


def lines(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[str]:
    """The header and one line per row."""
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow([name for name, _ in columns])
    for row in rows:
        yield writer.writerow([quoted(read(row)) for _, read in columns])


def download(
    request: HttpRequest,
    queryset: QuerySet,
    columns: Sequence[Column],
    *,
    name: str,
    people: bool,
    rows_of: Callable[[Any], Iterable[Any]] = lambda record: (record,),
) -> HttpResponseBase:
    """The rows of `queryset` as a file, read in portions. The log records who exported them.

    `rows_of`: the rows of one record, where that is several.
    `people`: the file has personal data in it, so a recent sign-in is required.
    """
    if people and (answer := reauthentication.ask(request)) is not None:
        return answer
    model = queryset.model
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
        object_id="",
        object_repr=f"export of {model._meta.verbose_name_plural}",
        action_flag=CHANGE,
        change_message=f"Exported {queryset.count()} rows as {name}.csv",
    )
    rows = (row for record in queryset.iterator(chunk_size=500) for row in rows_of(record))
    response = StreamingHttpResponse(lines(columns, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
