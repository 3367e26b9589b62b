"""Stripe, dj-stripe and the sandbox that stands in for Stripe on a developer's machine."""

from datetime import timedelta
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from storefront.settings.base import DEVELOPMENT
from storefront.settings.environment import count, port, read, switch, url


def secret_key(value: str) -> str:
    """A parser for Stripe's secret keys.

    dj-stripe and Stripe tell test from live mode by the prefix. A malformed key stops the start
    instead of the first payment; the message does not repeat it, because it goes into logs.
    """
    if not value.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")) or len(value) < 32:
        raise ValueError("expected a Stripe secret key of full length (sk_test_… or sk_live_…)")
    return value


STRIPE_SECRET_KEY = read("STRIPE_SECRET_KEY", secret_key, "")


def public_key(value: str) -> str:
    """A parser for Stripe's publishable keys."""
    if not value.startswith(("pk_test_", "pk_live_")):
        raise ValueError("expected Stripe's publishable key (pk_test_… or pk_live_…)")
    return value


STRIPE_PUBLIC_KEY = read("STRIPE_PUBLIC_KEY", public_key, "")
STRIPE_API_HOST = read("STRIPE_API_HOST", url("http", "https"), "")
SANDBOX_PORT = read("SANDBOX_PORT", port, 8002)
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
SANDBOX_LATENCY_MS = read("SANDBOX_LATENCY_MS", count, 350)
USES_SANDBOX = not STRIPE_SECRET_KEY

if not DEVELOPMENT:
    # Production must not charge the sandbox by accident.
    if USES_SANDBOX:
        raise ImproperlyConfigured("STRIPE_SECRET_KEY: the sandbox gateway needs DEBUG=1")
    if urlsplit(STRIPE_API_HOST).hostname in ("localhost", "127.0.0.1", "::1"):
        raise ImproperlyConfigured("STRIPE_API_HOST: a gateway on this machine needs DEBUG=1")
    if not STRIPE_PUBLIC_KEY:
        raise ImproperlyConfigured("STRIPE_PUBLIC_KEY: expected Stripe's publishable key (pk_…)")
if USES_SANDBOX:
    # Has the form of Stripe's keys, which dj-stripe validates; is valid in the sandbox only.
    STRIPE_SECRET_KEY = "sk_test_" + "sandbox" * 5
    STRIPE_API_HOST = STRIPE_API_HOST or SANDBOX_URL

STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
# The card form would make payment methods that the secret key does not find: every order fails.
if (
    STRIPE_PUBLIC_KEY
    and not USES_SANDBOX
    and STRIPE_PUBLIC_KEY.startswith("pk_live_") != STRIPE_LIVE_MODE
):
    raise ImproperlyConfigured(
        "STRIPE_PUBLIC_KEY: STRIPE_SECRET_KEY is of the other mode; one is for tests, one is live"
    )
if STRIPE_LIVE_MODE:
    STRIPE_LIVE_SECRET_KEY = STRIPE_SECRET_KEY
else:
    STRIPE_TEST_SECRET_KEY = STRIPE_SECRET_KEY
if not STRIPE_API_HOST:
    del STRIPE_API_HOST  # dj-stripe uses the setting as soon as it exists, even when it is empty
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
# "STRIPE_API_HOST should not be set in production": it is not, see above.
SILENCED_SYSTEM_CHECKS = ["djstripe.W002"] if DEVELOPMENT else []

# A proxy through which Stripe is reached, where the shop's machines may not go out themselves.
STRIPE_PROXY = read("STRIPE_PROXY", url("http", "https", "socks5h"), "")
# Stripe's limits for an account, https://docs.stripe.com/rate-limits, kept by request_budget.py.
# Stripe raises them on request. 0: no limit, as for the sandbox.
STRIPE_REQUESTS_PER_SECOND = read(
    "STRIPE_REQUESTS_PER_SECOND",
    count,
    0 if USES_SANDBOX else 100 if STRIPE_LIVE_MODE else 25,
)
STRIPE_ENDPOINT_REQUESTS_PER_SECOND = read(
    "STRIPE_ENDPOINT_REQUESTS_PER_SECOND", count, 0 if USES_SANDBOX else 25
)

# The gateway is only read: for a copy of the shop, or to stop all money at once.
GATEWAY_READONLY = read("GATEWAY_READONLY", switch, False)
# A copy of the database finds out by itself, where there is money (payments/database_identity.py).
GATEWAY_ASKS_WHICH_DATABASE = not USES_SANDBOX

GATEWAY_CONNECT_TIMEOUT = timedelta(seconds=2)
GATEWAY_READ_TIMEOUT = timedelta(seconds=8)
