"""An order to watch, no polling, and time-outs that a busy machine does not reach."""

import pytest

from apps.core import dispatch
from apps.realtime import socket_registry, subscriber
from tests.factories import OrderEventFactory


@pytest.fixture
def order(transactional_db):
    """Committed: the consumer's threads have connections of their own."""
    return OrderEventFactory().order


@pytest.fixture(autouse=True)
def timing(monkeypatch):
    """No poll and no echo during a test. Redis gets longer than any test takes to answer.

    A test that is about polling, echoes or time-outs sets its own.
    """
    monkeypatch.setattr(socket_registry, "POLL_EVERY", 60.0)
    monkeypatch.setattr(socket_registry, "POLL_EVERY_WITHOUT_REDIS", 0.1)
    monkeypatch.setattr(subscriber, "ECHO_EVERY", 60.0)
    monkeypatch.setattr(subscriber, "REDIS_TIMEOUT", 30.0)
    monkeypatch.setattr(subscriber, "ECHO_TIMEOUT", 30.0)
    monkeypatch.setattr(dispatch, "BROADCAST_TIMEOUT", 30.0)
