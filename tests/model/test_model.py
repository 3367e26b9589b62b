"""The real shop and a shop on paper, told the same stories, are in the same state after each line.

    machine.py   what can happen, and how the two are compared
    ledger.py    the shop on paper
    workers.py   workers that die and freeze

In the suite the stories are the same every time. A longer hunt tells other ones:

    MODEL_EXAMPLES=300 MODEL_STEPS=60 python -m pytest tests/model -k stories

What it finds is printed as a short program of the machine's rules. Shortening takes minutes;
MODEL_SHRINK=0 prints the story as it was found.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis

from apps.orders import saga
from tests.model.machine import ShopMachine
from tests.model.workers import Fates
from tests.orders.purchases import Shop

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "25"))
STEPS = int(os.environ.get("MODEL_STEPS", "30"))
A_HUNT = "MODEL_EXAMPLES" in os.environ
PHASES = [Phase.generate] + [Phase.shrink] * (os.environ.get("MODEL_SHRINK") != "0")


@pytest.fixture
def machine(
    shop: Shop, redis_of_tests: Redis, monkeypatch: pytest.MonkeyPatch
) -> type[ShopMachine]:
    """The machine over this test's shop; backoffs take an hour, so that the clock plays no part."""
    fates = Fates()
    fates.install(monkeypatch)
    monkeypatch.setattr(saga, "BACKOFF_FIRST", 3600.0)
    monkeypatch.setattr(saga, "BACKOFF_CAP", 3600.0)
    return type(
        "ShopMachine", (ShopMachine,), {"shop": shop, "fates": fates, "redis": redis_of_tests}
    )


def tell_stories(machine: type[ShopMachine], **given: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            **{
                "max_examples": EXAMPLES,
                "stateful_step_count": STEPS,
                "deadline": None,
                "database": None,
                "phases": PHASES,
                "derandomize": not A_HUNT,
                "print_blob": True,
                "suppress_health_check": list(HealthCheck),
            }
            | given
        ),
    )


def test_shop_is_as_on_paper_in_all_stories(machine: type[ShopMachine]) -> None:
    tell_stories(machine)
