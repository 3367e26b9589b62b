"""Fill the shop with the demo catalog, promos, delivery, taxes and logins. Safe to repeat."""

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.demo import seeding


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: str, **options: str) -> None:
        # The passwords are printed in the README: no production shop gets these logins.
        seeded = seeding.seed(with_logins=settings.DEVELOPMENT)
        made = [f"{number} {kind}" for kind, number in seeded.made.items() if number]
        self.stdout.write(f"made {', '.join(made)}" if made else "nothing to do, all is there")
        if not settings.DEVELOPMENT:
            self.stdout.write("no demo logins without DEBUG=1: their passwords are public")
            return
        self.stdout.write("demo logins:")
        for login in seeding.LOGINS:
            self.stdout.write(f"  {login.role:9} {login.email:30} {login.password}")
