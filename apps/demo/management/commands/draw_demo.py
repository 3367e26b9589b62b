"""Draw the demo shop's pictures again, after a change of a drawing or the catalog."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.demo.pictures import FOLDER, draw_all


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: str, **options: str) -> None:
        count = draw_all(Path(settings.BASE_DIR) / "static" / FOLDER)
        self.stdout.write(f"{count} pictures drawn")
