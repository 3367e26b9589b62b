"""`manage.py webhook_secret`: hand on a webhook secret that was rolled in Stripe's dashboard."""

import getpass
import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.payments import endpoint_secrets, endpoints


class Command(BaseCommand):
    help = (
        "Take a new secret for the webhook endpoint. It is read from standard input and never an "
        "argument, which other users of the machine and the shell's history would see."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--old-for",
            type=float,
            default=24.0,
            metavar="HOURS",
            help="how long the old secret stays good (24, the longest that Stripe offers; 0: not)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = endpoints.current()
        if found is None:
            raise CommandError("No webhook endpoint is registered for SHOP_URL.")
        hours = options["old_for"]
        if not 0 <= hours <= 24:
            raise CommandError("--old-for: from 0 to 24 hours")
        asks = f"New secret of {found.id} ({found.url}): "
        given = getpass.getpass(asks) if sys.stdin.isatty() else sys.stdin.readline()
        try:
            new = endpoint_secrets.roll(found, given.strip(), old_for=timedelta(hours=hours))
        except endpoint_secrets.NotASecret as wrong:
            raise CommandError(str(wrong)) from wrong
        if not new:
            self.stdout.write("That is its secret already; nothing was changed.")
            return
        self.stdout.write(f"Taken. The old secret is good for {hours:g} h.")
