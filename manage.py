#!/usr/bin/env python
"""Django's command line for the shop.

Where the shop keeps its own PostgreSQL and Redis (no DATABASE_URL, no REDIS_URL), a command that
needs them starts them for its own time, or joins those of a running `make run`. A wrong setting, a
server that cannot be started, or a database without the tables of this release ends in one line,
not in a traceback.
"""

import contextlib
import os
import sys

# These never look into the database.
OFFLINE = {"", "help", "version", "check", "collectstatic", "diffsettings", "spectacular"}
# PostgreSQL's undefined_table and undefined_column.
UNDEFINED = ("42P01", "42703")
NO_TABLES = (
    "the database has no tables of this release: `make run` prepares it, or `manage.py migrate`"
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
    from tools import embedded

    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    wants_help = bool({"-h", "--help"} & set(sys.argv))
    online = command not in OFFLINE and not wants_help
    postgres, redis = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    if postgres and (embedded.default_home() / "postgres").exists():
        # A home that `make run` prepared is a developer's machine: `python manage.py audit`
        # needs no DEBUG=1 there. Production has its DATABASE_URL and never comes here.
        os.environ.setdefault("DEBUG", "1")

    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import ProgrammingError

    try:
        home = settings.STOREFRONT_HOME
        with contextlib.ExitStack() as stack:
            if (postgres or redis) and online:
                embedded.prepare_home(home, say=tell)
                stack.enter_context(embedded.serving(home, postgres=postgres, redis=redis))
            if command == "migrate" and online and not postgres:
                refuse_older_database()  # migrations would fail halfway
            try:
                execute_from_command_line(sys.argv)
            except ProgrammingError as error:
                if getattr(error.__cause__, "sqlstate", "") not in UNDEFINED:
                    raise
                refuse_older_database()
                sys.exit(f"manage.py: {NO_TABLES}")
    except (ImproperlyConfigured, embedded.EmbeddedError) as error:
        sys.exit(f"manage.py: {error}")


def refuse_older_database() -> None:
    """Raise EmbeddedError when the database has the migrations of an earlier release."""
    import django
    from django.db import connection

    from tools.embedded.older_release import OLDER_DATABASE, has_older_history
    from tools.embedded.paths import EmbeddedError

    django.setup()
    connection.close()  # a failed transaction takes no further statement
    with connection.cursor() as cursor:
        if has_older_history(cursor):
            raise EmbeddedError(OLDER_DATABASE)


def tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
