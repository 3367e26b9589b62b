"""The shop of these stories, and two web processes for the races among them."""

import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from apps.orders import intake
from apps.orders.pending import Accepted, Pending
from tests.failures.shoppers import Shopper
from tests.orders.checkouts import another_process
from tests.orders.purchases import Shop, committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["another_process", "committed_database", "sandbox", "sandbox_process", "shop"]


@pytest.fixture
def alice(shop: Shop) -> Shopper:
    return Shopper(shop, "alice")


@pytest.fixture
def bob(shop: Shop) -> Shopper:
    return Shopper(shop, "bob")


@pytest.fixture
def two_processes(
    shop: Shop,
    another_process: Callable[[], intake.Intake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checkouts go to two web processes in turn, which share nothing but the database."""
    processes, turn = itertools.cycle([another_process(), another_process()]), threading.Lock()

    def submit(pending: Pending) -> Accepted:
        with turn:
            process = next(processes)
        return process.submit(pending)

    monkeypatch.setattr(intake, "_intake", SimpleNamespace(submit=submit, drain=lambda _: None))
