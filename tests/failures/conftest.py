"""The shop of these tests, and two web processes for their races."""

import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from apps.orders.intake import queue
from apps.orders.intake.pending import Accepted, Pending
from tests.failures.shoppers import Shopper
from tests.orders.checkouts import another_process
from tests.orders.purchases import Shop, committed_database, declines_are_final, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = [
    "another_process",
    "committed_database",
    "declines_are_final",
    "sandbox",
    "sandbox_process",
    "shop",
]


@pytest.fixture
def alice(shop: Shop) -> Shopper:
    return Shopper(shop, "alice")


@pytest.fixture
def bob(shop: Shop) -> Shopper:
    return Shopper(shop, "bob")


@pytest.fixture
def two_processes(
    shop: Shop,
    another_process: Callable[[], queue.Intake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checkouts alternate between two web processes that share only the database."""
    processes, turn = itertools.cycle([another_process(), another_process()]), threading.Lock()

    def submit(pending: Pending) -> Accepted:
        with turn:
            process = next(processes)
        return process.submit(pending)

    monkeypatch.setattr(queue, "_intake", SimpleNamespace(submit=submit, drain=lambda _: None))
