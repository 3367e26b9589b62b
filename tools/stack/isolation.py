"""Makes this process part of a shop of its own, for programs that start one and look into it.

The fault runner and the benchmarks read their shop's database with the shop's own code: they are
Django processes with the same settings. This is called before Django is set up.
"""

import os
from collections.abc import Collection
from pathlib import Path

from tools import embedded
from tools.stack.ports import Ports

# A caller's shop must neither be used nor be broken: none of its addresses and settings stay.
CALLERS = (
    *("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "CELERY_BROKER_URL", "EMAIL_URL"),
    *("CARTS_REDIS_URL", "CACHE_REDIS_URL", "RATE_LIMITS_REDIS_URL", "METRICS_ALLOW"),
    *("STRIPE_SECRET_KEY", "STRIPE_PUBLIC_KEY", "STRIPE_API_HOST", "SECRET_KEY", "ALLOWED_HOSTS"),
    *("SHOP_URL", "LIVE_URL", "TRUSTED_PROXIES", "FAILPOINTS", "DEBUG_PAGES", "INVENTORY_STRATEGY"),
    *("HOLD_SECONDS", "HOLD_CAP_SECONDS", "PAYMENT_RETRY_TIME", "STRIPE_PROXY"),
    *("STRIPE_REQUESTS_PER_SECOND", "STRIPE_ENDPOINT_REQUESTS_PER_SECOND"),
)


def enter_own_shop(
    home: Path, *, database: str, keep: Collection[str] = (), **settings: str
) -> Ports:
    """Set this process's environment for a shop in `home`; returns its ports, which are free.

    `database` is the name of its database on the embedded PostgreSQL. `keep` names variables of
    the caller that stay; a DATABASE_URL that stays takes the place of `database`. `settings` are
    added to the environment.
    """
    ports = Ports.free()
    for name in set(CALLERS) - set(keep):
        os.environ.pop(name, None)
    os.environ.setdefault("DATABASE_URL", embedded.database_url(home, database))
    os.environ |= {
        "DEBUG": "1",
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
        "STOREFRONT_HOME": str(home),
        "PORT": str(ports.edge),
        "LIVE_PORT": str(ports.live),
        "SANDBOX_PORT": str(ports.sandbox),
        **settings,
    }
    return ports
