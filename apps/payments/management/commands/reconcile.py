"""`manage.py reconcile`: compare the gateway's books with ours now. Exit code 1 when it stopped."""

import re
import sys
import time
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from apps.payments.gateway import GatewayError
from apps.payments.models import Discrepancy, Reconciliation
from apps.payments.reconciler import inspection, schedule

Scope = Reconciliation.Scope
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
SHOWN_EVERY = 2.0  # seconds


class Command(BaseCommand):
    help = "Compare the gateway's payments with ours, settle what no webhook told, name the rest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="everything, not the recent past")
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help="what the gateway has created since: 2026-11-25, 2026-11-25T08:00Z, 90m, 12h, 3d",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [Scope.OPEN, Scope.RECENT]
        try:
            if options["all"] or options["since"]:
                scopes.append(Scope.ALL)
                schedule.begin(
                    Scope.ALL, since=moment(options["since"]) if options["since"] else None
                )
            for scope in scopes:
                self._run(scope)
        except schedule.Busy:
            self._stop("Another process is comparing. Try again in a minute.")
        except (GatewayError, inspection.WrongBooks) as error:
            self._stop(f"Stopped, and goes on from here next time. {type(error).__name__}: {error}")
        rows = Discrepancy.objects.filter(state="open").order_by("pk")
        for row in rows.iterator():
            self.stdout.write(f"open  {row}: {row.why}")
        self.stdout.write(f"{rows.count()} open discrepancies")

    def _run(self, scope: str) -> None:
        shown_at = 0.0

        def progress(run: Reconciliation) -> None:
            nonlocal shown_at
            if not run.is_under_way or time.monotonic() > shown_at + SHOWN_EVERY:
                shown_at = time.monotonic()
                where = run.phase if run.is_under_way else "done"
                self.stdout.write(
                    f"{run.scope}: {where}, {run.compared} compared, {run.settled} settled"
                )
                self.stdout.flush()

        run = schedule.run(scope, progress=progress)
        if run.error:
            self.stderr.write(f"{scope}: left out {run.error}")

    def _stop(self, why: str) -> None:
        self.stderr.write(why)
        sys.exit(1)


def moment(text: str) -> datetime:
    """`3d` ago, or a day, or a moment. Raises CommandError."""
    ago = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if ago:
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        when = parse_datetime(text)
        day = parse_date(text) if when is None else None
    except ValueError as error:
        raise CommandError(f"--since {text}: {error}") from error
    if when is None and day is not None:
        when = datetime.combine(day, datetime.min.time())
    if when is None:
        raise CommandError(f"--since {text} is neither a day, a moment nor a length such as 12h")
    return timezone.make_aware(when) if timezone.is_naive(when) else when
