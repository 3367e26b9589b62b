"""The shop of the orders' tests, and the sandbox it pays at."""

from tests.orders.checkouts import another_process, open_shop
from tests.orders.purchases import committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = [
    "another_process",
    "committed_database",
    "open_shop",
    "sandbox",
    "sandbox_process",
    "shop",
]
