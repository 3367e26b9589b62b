"""Every reservation test runs under each strategy: they give the same guarantees."""

from typing import Any

import pytest

from apps.inventory import strategies

STRATEGIES = tuple(strategies.BY_NAME)
under_each_strategy = pytest.mark.usefixtures("strategy")


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest, settings: Any) -> str:
    """The strategy that the shop runs with."""
    settings.INVENTORY_STRATEGY = request.param
    name: str = request.param
    return name
