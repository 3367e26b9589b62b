"""`python manage.py import_catalog FILE.csv`: products from a Shopify product CSV."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.catalog import importer
from apps.catalog.shopify_csv import NotAProductCsv

PROGRESS_EVERY = 1.0  # seconds


class Command(BaseCommand):
    help = (
        "Imports a Shopify product CSV. Prints what was created, updated and skipped, with line "
        "numbers and reasons. Running it twice changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            with file.open("rb") as stream:
                report = importer.import_csv(stream, progress=_Progress(self.stderr))
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror or error}") from error
        except NotAProductCsv as error:
            raise CommandError(f"{file}: {error}") from error
        self._print(report)

    def _print(self, report: importer.ImportReport) -> None:
        for entry in report.created:
            self.stdout.write(f"created    line {entry.line}: {entry.handle}")
        for entry in report.updated:
            self.stdout.write(
                f"updated    line {entry.line}: {entry.handle} ({'; '.join(entry.changes)})"
            )
        for refused in report.skipped:
            for problem in refused.problems:
                name = refused.handle or "(no product)"
                self.stdout.write(f"skipped    line {problem.line}: {name}: {problem.reason}")
        for note in report.notes:
            self.stdout.write(f"note       line {note.line}: {note.handle}: {note.text}")
        for what, entries in (
            ("created", report.created),
            ("updated", report.updated),
            ("unchanged", report.unchanged),
            ("skipped", report.skipped),
        ):
            self.stdout.write(f"{len(entries):>6,} {what}{_lines(what, entries)}")


def _lines(what: str, entries: Sequence[Any]) -> str:
    if what != "skipped" or not entries:
        return ""
    number = sum(len(refused.problems) for refused in entries)
    return f" ({number} problem{'s' if number != 1 else ''}, named above)"


class _Progress:
    """Prints a line a second on standard error while a large file is imported."""

    def __init__(self, stderr: Any) -> None:
        self._stderr = stderr
        self._next = time.monotonic() + PROGRESS_EVERY

    def __call__(self, what: str, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_EVERY
            self._stderr.write(f"{what}: {done:,} of {total:,}", style_func=str)
            sys.stderr.flush()
