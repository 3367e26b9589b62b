"""The environment of the shop that is broken."""

from pathlib import Path

from tools.stack import Ports
from tools.stack.isolation import enter_own_shop

DATABASE = "faults"
# An outage longer than the hold must fit into a run. Only some faults are tried with short holds:
# an intake with short holds refuses orders as soon as a worker dies (orders/intake/wait_estimate).
HOLD_SECONDS, HOLD_CAP_SECONDS = 24, 40
LATENCY_MS = 100
# Long enough to pay with another card, short enough that all orders are at rest in a run's time.
PAYMENT_RETRY_SECONDS = 20


def enter_shop(home: Path) -> Ports:
    """Make this process one of the shop in `home`, before Django is set up; its ports."""
    return enter_own_shop(
        home,
        database=DATABASE,
        SANDBOX_LATENCY_MS=str(LATENCY_MS),
        RATE_LIMITS="off",
        PAYMENT_RETRY_TIME=str(PAYMENT_RETRY_SECONDS),
    )
