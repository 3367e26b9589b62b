"""The environment of the measured shop."""

from pathlib import Path

from tools.stack import Ports
from tools.stack.isolation import enter_own_shop

DATABASE = "bench"
# The caller's database and Redis may be measured.
MEASURED = (
    *("DATABASE_URL", "REDIS_URL"),
    *("CARTS_REDIS_URL", "CACHE_REDIS_URL", "RATE_LIMITS_REDIS_URL"),
)
# As in production, but for the gateway, which is the sandbox (hence DEBUG).
SETTINGS = {
    "SANDBOX_LATENCY_MS": "350",
    # The limits count every request. wrk plays a proxy in front, and each shopper comes from an
    # address of their own, or the limits would refuse them.
    "RATE_LIMITS": "on",
    "TRUSTED_PROXIES": "1",
    # All open pages of the scenario `live` come from this machine.
    "LIVE_SOCKETS_OF_ADDRESS": "5000",
}


def enter_shop(home: Path) -> Ports:
    """Make this process one of the shop in `home`, before Django is set up; its ports."""
    return enter_own_shop(home, database=DATABASE, keep=MEASURED, **SETTINGS)
