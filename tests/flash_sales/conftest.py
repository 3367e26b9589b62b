"""Fixtures of flash sales' tests: the same shop as in the tests of orders."""

from tests.orders.checkouts import open_shop
from tests.orders.purchases import committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["committed_database", "open_shop", "sandbox", "sandbox_process", "shop"]
