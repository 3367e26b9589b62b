"""Makes the database ready for the processes: tables, demo catalog, webhook endpoint.

Runs as a process of its own (`python -m tools.stack.bootstrap`) with the environment that the
others get, so that a wrong setting is found once and reported in one line. The sandbox must run,
because the webhook endpoint is registered with it. Each part checks first whether there is anything
to do: at a second start there is nearly nothing.
"""

import os
import sys
from datetime import timedelta

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from tools.embedded.older_release import OLDER_DATABASE, has_older_history
from tools.stack.process_table import BOOTSTRAP_REFUSED, DEMO_LOGINS

WAIT_FIRST = timedelta(seconds=30)  # for a gateway that does not answer; the sandbox is starting
WAIT_AGAIN = timedelta(seconds=5)  # where the endpoint was registered before


def prepare(*, seed: bool) -> None:
    """Bring the database of the current settings up to date. Safe to repeat and to interrupt.

    seed: put the goods of the demo shop into an empty catalog; never without DEBUG, where an empty
    catalog is a merchant's first day.
    """
    django.setup()
    if not _tables_are_current():
        _refuse_older_database()
        _say("creating tables (the first time takes half a minute, most of it for dj-stripe)")
        call_command("migrate", interactive=False, skip_checks=True)
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    if not settings.DEVELOPMENT:
        _say("collecting static files")
        call_command("collectstatic", interactive=False, verbosity=0)
    if seed and settings.DEVELOPMENT and _catalog_is_empty():
        _say("adding the goods of the demo shop")
        call_command("seed_demo")
    _register_webhook_endpoint()
    _note_demo_logins()


def _tables_are_current() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _refuse_older_database() -> None:
    with connection.cursor() as cursor:
        if has_older_history(cursor):
            raise ImproperlyConfigured(OLDER_DATABASE)


def _catalog_is_empty() -> bool:
    from apps.catalog.models import Product  # models can be imported after django.setup()

    return not Product.objects.exists()


def _register_webhook_endpoint() -> None:
    from apps.payments.endpoints import current, ensure_webhook_endpoint
    from apps.payments.gateway import (
        GatewayError,
        GatewayMisconfigured,
        GatewayReadOnly,
        GatewayTransient,
    )

    try:
        ensure_webhook_endpoint(wait=WAIT_AGAIN if current() else WAIT_FIRST)
    except GatewayMisconfigured as error:
        raise ImproperlyConfigured(f"STRIPE_SECRET_KEY: Stripe refuses it: {error}") from error
    except GatewayReadOnly as error:
        _say(f"{error}\n(orders are accepted, and their payments wait; see docs/operations.md)")
    except GatewayError as error:
        what = f"SHOP_URL: no webhooks can be registered for {settings.SHOP_URL}: {error}"
        if isinstance(error, GatewayTransient) and not settings.USES_SANDBOX:
            # An outage of Stripe's must not keep the shop closed: orders are accepted and wait. The
            # task payments.keep_webhook_endpoint registers it later.
            _say(f"{what}\n(the shop starts without, and tries again every few minutes)")
            return
        if settings.USES_SANDBOX or not settings.DEVELOPMENT:
            raise ImproperlyConfigured(what) from error
        # Stripe takes no address that the internet cannot reach. With test keys on a developer's
        # machine, payments work all the same; only 3-D Secure waits for its deadline.
        _say(what)


def _note_demo_logins() -> None:
    """Write the logins to a file for the supervisor to show; it does not load the models."""
    from apps.demo.seeding import LOGINS

    emails = get_user_model().objects.values_list("email", flat=True)
    known = set(emails.filter(email__in=[login.email for login in LOGINS]))
    lines = [f"{x.role:9} {x.email:30} {x.password}" for x in LOGINS if x.email in known]
    (settings.STOREFRONT_HOME / DEMO_LOGINS).write_text("\n".join(lines))


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
    try:
        prepare(seed="--seed" in sys.argv)
    except ImproperlyConfigured as error:
        _say(str(error))
        return BOOTSTRAP_REFUSED
    except OperationalError as error:
        _say(f"PostgreSQL: {' '.join(str(error).split())}")
        return BOOTSTRAP_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
