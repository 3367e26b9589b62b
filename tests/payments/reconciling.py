"""Runs of the reconciler that are watched, or killed where a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.core import failpoints
from apps.payments import gateway as gateways
from tests.orders.purchases import Killed, Shop


def unheard(shop: Shop) -> Any:
    """An order whose authorization went through unheard."""
    shop.sandbox.faults(
        {"fault": "reset_after", "count": 1, "operations": ["payment_intents.create"]}
    )
    order_id = shop.place()
    shop.run()
    assert (shop.payment(order_id).intent_id, len(shop.intents())) == (None, 1)
    return order_id


def die_at(patch: pytest.MonkeyPatch, point: str) -> list[str]:
    """A run dies the first time that one gets to `point`; what has struck."""
    struck: list[str] = []

    def reach(*parts: str) -> None:
        if ".".join(parts) == point and not struck:
            struck.append(point)
            raise Killed(point)

    patch.setattr(failpoints, "reach", reach)
    return struck


def watch(monkeypatch: pytest.MonkeyPatch, *verbs: str) -> list[str]:
    """The verbs that the gateway is asked with, as they are."""
    asked: list[str] = []
    gateway = type(gateways.get_gateway())

    def watched(verb: str, really: Callable[..., Any]) -> Callable[..., Any]:
        def ask(self: Any, *given: Any, **named: Any) -> Any:
            asked.append(verb)
            return really(self, *given, **named)

        return ask

    for verb in verbs:
        monkeypatch.setattr(gateway, verb, watched(verb, getattr(gateway, verb)))
    return asked
