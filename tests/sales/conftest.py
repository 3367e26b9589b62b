"""The shop of the sales' tests: the same as the orders' have."""

from tests.orders.checkouts import open_shop
from tests.orders.purchases import committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["committed_database", "open_shop", "sandbox", "sandbox_process", "shop"]
