"""The shop of the orders' tests, and the sandbox it pays at."""

from tests.orders.purchases import committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["committed_database", "sandbox", "sandbox_process", "shop"]
