"""`manage.py reset_second_factor EMAIL --reason "…"`: when the last administrator lost their phone.

Anybody who can run commands on the server can use it. It is recorded like a reset in the admin.
"""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from apps.backoffice.sign_in import enrolment
from apps.core import clean_text


class Command(BaseCommand):
    """Remove one account's second factor."""

    help = "Takes the second factor of a staff account away; the next sign-in sets up a new one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", required=True, help="kept in the log of decisions")

    def handle(self, *args: Any, **options: Any) -> None:
        email = clean_text.email(options["email"]).lower()
        user = get_user_model().objects.filter(email=email).first()
        if user is None:
            raise CommandError(f"there is no account {email}")
        if not options["reason"].strip():
            raise CommandError("say why: --reason")
        if not enrolment.reset(user, actor="command line", reason=options["reason"]):
            raise CommandError(f"{email} has no second factor")
        self.stdout.write(f"{email}: second factor reset")
