"""Settings of a test run: its own servers, its own data, nothing from the caller's environment.

Each test process takes a home of its own (`.storefront-test`, or `.storefront-test-2` … while
another process holds that one), because between tests Redis is emptied whole. For the same reason
DATABASE_URL, REDIS_URL and real Stripe keys of the caller are put out of sight: no test may reach
them.
"""

import fcntl
import itertools
import os
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parent.parent


def take_home() -> tuple[Path, IO[str]]:
    """The first test home that no other run holds, and the open lock that holds it."""
    for number in itertools.count(1):
        home = PROJECT / (".storefront-test" if number == 1 else f".storefront-test-{number}")
        home.mkdir(exist_ok=True)
        lock = (home / "test-run.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return home, lock
    raise AssertionError("count() does not end")


TEST_HOME, home_lock = take_home()


def leave_home() -> None:
    """Let another process have this home; for a process that runs no test itself."""
    home_lock.close()


for name in (
    *("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "CELERY_BROKER_URL", "EMAIL_URL"),
    *("CARTS_REDIS_URL", "CACHE_REDIS_URL", "RATE_LIMITS_REDIS_URL", "METRICS_ALLOW"),
    *("STRIPE_SECRET_KEY", "STRIPE_PUBLIC_KEY", "STRIPE_API_HOST", "SECRET_KEY", "ALLOWED_HOSTS"),
    *("STRIPE_PROXY", "STRIPE_REQUESTS_PER_SECOND", "STRIPE_ENDPOINT_REQUESTS_PER_SECOND"),
    *("SECRET_KEY_FALLBACKS", "PAYMENT_RETRY_TIME"),
    *("PORT", "LIVE_PORT", "SANDBOX_PORT", "INVENTORY_STRATEGY", "RATE_LIMITS", "SHOP_URL"),
    *("DEBUG_PAGES", "LIVE_URL", "TRUSTED_PROXIES", "FAILPOINTS"),
    *("STAFF_SECOND_FACTOR", "STAFF_IDLE_MINUTES", "STAFF_SESSION_HOURS", "STAFF_FRESH_MINUTES"),
):
    os.environ.pop(name, None)
os.environ |= {"STOREFRONT_HOME": str(TEST_HOME), "DEBUG": "1", "SANDBOX_LATENCY_MS": "5"}

(TEST_HOME / "static").mkdir(exist_ok=True)  # whitenoise warns when it is not there

from storefront.settings import *  # noqa: E402, F403

EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Argon2 is slow on purpose; tests sign people in by the hundred.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Else each new Client would look through every static file of the shop and of its libraries, five
# hundred of them, before its first request.
WHITENOISE_AUTOREFRESH = True
# Tests order in bulk from one address, mailbox and card. The shop's own caps stand in
# tests/orders/test_unpaid_limits.py.
UNPAID_UNITS_OF_ADDRESS = UNPAID_ORDERS_OF_CUSTOMER = UNPAID_ORDERS_OF_CARD = 100_000
