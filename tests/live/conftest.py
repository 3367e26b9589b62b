"""An order to watch, and a look-out that stays out of the way."""

import pytest

from apps.live import ear, hub
from tests.factories import OrderEventFactory


@pytest.fixture
def order(transactional_db):
    """Committed: the consumer's threads have connections of their own."""
    return OrderEventFactory().order


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(hub, "LOOK_EVERY", 60.0)
    monkeypatch.setattr(hub, "LOOK_WHEN_DEAF", 0.1)
    monkeypatch.setattr(ear, "SPEAK_EVERY", 60.0)
