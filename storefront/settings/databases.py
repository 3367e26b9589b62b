"""PostgreSQL: everything of record is kept here."""

from typing import Any

from storefront.settings.base import STOREFRONT_HOME
from storefront.settings.environment import env, is_set, read
from tools import embedded


def postgres(value: str) -> dict[str, Any]:
    """Django's settings for a `postgresql://` URL; each thread keeps its connection."""
    config: dict[str, Any] = env.db_url_config(value)
    if "postgresql" not in config.get("ENGINE", ""):
        raise ValueError("expected a postgresql:// URL")
    config["ENGINE"] = "django.db.backends.postgresql"
    options = config.setdefault("OPTIONS", {})
    if "host" in options:  # a unix socket's folder cannot be written in a URL's host part
        config["HOST"] = options.pop("host")
    # READ COMMITTED is what the conditional updates are written for (docs/locking.md).
    options["isolation_level"] = 2
    options["connect_timeout"] = 5
    # Django's None would forbid prepared statements. With a threshold that is never reached, only
    # the statements that ask for it are prepared (apps/core/sql.py).
    options["prepare_threshold"] = 1_000_000
    # A statement that waits longer for a lock, or runs longer, fails, and the shopper gets a 503.
    # A transaction that stays idle (a frozen worker, a paused machine) must not keep stock rows
    # locked: PostgreSQL closes its connection, and another worker continues the order.
    options["options"] = (
        "-c lock_timeout=8000 -c statement_timeout=30000"
        " -c idle_in_transaction_session_timeout=12000"
    )
    config["CONN_MAX_AGE"] = None  # never closed for its age; see apps/core/connections.py
    return config


DATABASES = {
    "default": read("DATABASE_URL", postgres, None)
    if is_set("DATABASE_URL")
    else postgres(embedded.database_url(STOREFRONT_HOME))
}
if is_set("DATABASE_REPLICA_URL"):
    DATABASES["replica"] = read("DATABASE_REPLICA_URL", postgres, None)
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
CATALOG_DATABASE = "replica" if "replica" in DATABASES else "default"
