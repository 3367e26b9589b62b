"""Where the shop that is broken lives: its home, its ports, its environment.

`python -m faults` puts itself into that environment before Django is set up, so that it looks at
the shop's books with the shop's own settings.
"""

import os
from pathlib import Path

from storefront import embedded
from storefront.stack import Ports

DATABASE = "faults"
# An outage longer than the hold must fit into a run. Only some faults are tried with short holds:
# such an intake sends people away as soon as a worker dies (orders/queue_depth.py).
HOLD_SECONDS, HOLD_CAP_SECONDS = 24, 40
LATENCY_MS = 100
# Nothing of the caller's may reach the shop that is broken, or be broken.
NOT_OURS = (
    *("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "CELERY_BROKER_URL", "EMAIL_URL"),
    *("STRIPE_SECRET_KEY", "STRIPE_PUBLIC_KEY", "STRIPE_API_HOST", "SECRET_KEY", "ALLOWED_HOSTS"),
    *("SHOP_URL", "LIVE_URL", "TRUSTED_PROXIES", "FAILPOINTS", "DEBUG_PAGES", "INVENTORY_STRATEGY"),
    *("HOLD_SECONDS", "HOLD_CAP_SECONDS"),
)


def settle_in(home: Path) -> Ports:
    """Make this process one of the shop's own, before Django is set up; the ports of the rest."""
    ports = Ports.free()
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ |= {
        "DEBUG": "1",
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
        "STOREFRONT_HOME": str(home),
        "DATABASE_URL": embedded.database_url(home, DATABASE),
        "PORT": str(ports.web),
        "LIVE_PORT": str(ports.live),
        "SANDBOX_PORT": str(ports.sandbox),
        "SANDBOX_LATENCY_MS": str(LATENCY_MS),
        "RATE_LIMITS": "off",
    }
    return ports
