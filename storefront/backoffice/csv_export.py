"""Lists as CSV files that are safe to open.

A spreadsheet executes a cell that begins with `=`, `+`, `-` or `@`, and some do so after a leading
tab or carriage return. Names, notes and addresses are typed by strangers, so such a cell gets an
apostrophe in front: it is then shown as the text it is. Numbers stay numbers, negative ones too.
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
from django.utils import timezone

EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Column = tuple[str, Callable[[Any], Any]]


def quoted(value: Any) -> Any:
    """`value` as a cell that is text to every spreadsheet; numbers and times pass."""
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
    # Blanks before the sign do not stop a spreadsheet, so they do not stop us.
    return f"'{text}" if text.lstrip(" ").startswith(EXECUTED) else text


class _Line:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def lines(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[str]:
    """The header and one line per row."""
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow([name for name, _ in columns])
    for row in rows:
        yield writer.writerow([quoted(read(row)) for _, read in columns])


def download(
    request: HttpRequest, queryset: QuerySet, columns: Sequence[Column], *, name: str
) -> StreamingHttpResponse:
    """The rows of `queryset` as a file, read in portions; who took it stands in the log."""
    model = queryset.model
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
        object_id="",
        object_repr=f"export of {model._meta.verbose_name_plural}",
        action_flag=CHANGE,
        change_message=f"Exported {queryset.count()} rows as {name}.csv",
    )
    rows = queryset.iterator(chunk_size=500)
    answer = StreamingHttpResponse(lines(columns, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer
