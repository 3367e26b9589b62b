"""`manage.py confirm_database`: this copy of the shop's database is the shop from now on."""

import getpass
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.payments import database_identity, endpoints
from apps.payments.gateway import GatewayError, GatewayReadOnly
from apps.payments.models import Payment

AGREED = "yes"
WAIT = 10.0  # seconds for a gateway that does not answer


class Command(BaseCommand):
    help = (
        "Let this database move money at the gateway: it was restored or moved, and the one that "
        "it was copied from is not in use any more. Both at once would void, refund and capture "
        "each other's payments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        row = database_identity.known()
        here = database_identity.place_now()
        newest = Payment.objects.order_by("-created_at").first()
        self.stdout.write(f"known as   {row.place_name}")
        self.stdout.write(f"this is    {here.name}")
        last = f", the last of {newest.created_at:%Y-%m-%d %H:%M} UTC" if newest else ""
        self.stdout.write(f"payments   {Payment.objects.count():,}{last}")
        if not (why := self._why_readonly()):
            self.stdout.write("It may move money already; nothing was changed.")
            return
        self.stdout.write(f"only reads because {why}")
        if not options["yes"] and not self._asked():
            raise CommandError("Nothing was changed.")
        database_identity.confirm(actor=getpass.getuser())
        try:
            registered = endpoints.ensure_webhook_endpoint(
                take_over=True, wait=timedelta(seconds=WAIT)
            )
        except GatewayError as error:
            raise CommandError(
                f"Confirmed, but its webhooks are not registered yet: {error}\n"
                "Run the command again when the gateway answers."
            ) from error
        self.stdout.write(f"Confirmed. Webhooks come to {registered.url}")
        if why := database_identity.why_readonly():
            self.stdout.write(f"It still only reads: {why}.")

    def _why_readonly(self) -> str:
        """The reason; the gateway is asked whether another database has the shop's address."""
        if not database_identity.why_readonly():
            with suppress(GatewayReadOnly):
                endpoints.ensure_webhook_endpoint(wait=timedelta(0))
        return database_identity.why_readonly()

    def _asked(self) -> bool:
        if not sys.stdin.isatty():
            self.stderr.write("Say --yes where nobody can be asked.")
            return False
        said = input(f"Is the other one out of use, and this one the shop? ({AGREED}/no) ")
        return said.strip().lower() == AGREED
