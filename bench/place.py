"""Where the measured shop lives: its home, its ports, its environment.

`python -m bench` puts itself into that environment before Django is set up, so that it arranges the
goods and looks into the books with the shop's own code.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from storefront import embedded
from storefront.stack import Ports

DATABASE = "bench"
# The caller's database and Redis may be measured (DATABASE_URL, REDIS_URL); the rest is ours.
NOT_OURS = (
    *("DATABASE_REPLICA_URL", "CELERY_BROKER_URL", "EMAIL_URL", "STRIPE_SECRET_KEY"),
    *("STRIPE_PUBLIC_KEY", "STRIPE_API_HOST", "SECRET_KEY", "ALLOWED_HOSTS", "SHOP_URL"),
    *("LIVE_URL", "FAILPOINTS", "DEBUG_PAGES", "INVENTORY_STRATEGY"),
)


def settle_in(home: Path) -> Ports:
    """Make this process one of the shop's own, before Django is set up; the ports of the rest."""
    ports = Ports.free()
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ.setdefault("DATABASE_URL", embedded.database_url(home, DATABASE))
    os.environ |= environment() | {
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
        "STOREFRONT_HOME": str(home),
        "PORT": str(ports.web),
        "LIVE_PORT": str(ports.live),
        "SANDBOX_PORT": str(ports.sandbox),
    }
    return ports


def environment() -> Mapping[str, str]:
    """As in production, but for the gateway, which is the sandbox (hence DEBUG)."""
    return {
        "DEBUG": "1",
        "SANDBOX_LATENCY_MS": "350",
        # The limits count every request; wrk plays a proxy in front, and each shopper comes from
        # an address of her own, or they would do what they are for.
        "RATE_LIMITS": "on",
        "TRUSTED_PROXIES": "1",
    }
