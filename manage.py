#!/usr/bin/env python
"""Django's command line for the shop.

Where the shop keeps its own PostgreSQL and Redis (no DATABASE_URL, no REDIS_URL), a command that
needs them starts them for its own time, or joins those of a running `make run`. A wrong setting or
a server that cannot be had ends in one line, not in a traceback.
"""

import contextlib
import os
import sys

# These never look into the database.
OFFLINE = {"", "help", "version", "check", "collectstatic", "diffsettings", "spectacular"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
    from storefront import embedded

    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    wants_help = bool({"-h", "--help"} & set(sys.argv))
    postgres, redis = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    if postgres and (embedded.default_home() / "postgres").exists():
        # A home that `make run` prepared is a developer's machine: `python manage.py audit`
        # needs no DEBUG=1 there. Production has its DATABASE_URL and never comes here.
        os.environ.setdefault("DEBUG", "1")

    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        home = settings.STOREFRONT_HOME
        with contextlib.ExitStack() as stack:
            if (postgres or redis) and command not in OFFLINE and not wants_help:
                stack.enter_context(embedded.serving(home, postgres=postgres, redis=redis))
            execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, embedded.EmbeddedError) as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
