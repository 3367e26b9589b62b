"""The shop of the orders' tests, and the sandbox it pays at."""

from tests.orders.buyers import ours
from tests.orders.checkouts import another_process, mug, open_shop
from tests.orders.purchases import committed_database, declines_are_final, shop
from tests.orders.sold_orders import sold
from tests.payments.books import aged
from tests.payments.conftest import sandbox, sandbox_process

__all__ = [
    "aged",
    "another_process",
    "committed_database",
    "declines_are_final",
    "mug",
    "open_shop",
    "ours",
    "sandbox",
    "sandbox_process",
    "shop",
    "sold",
]
