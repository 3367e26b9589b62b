"""How payments are read from the gateway's list: as few calls as their moments allow."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.payments.gateway import GatewayRefused, GatewayUnreachable
from apps.payments.mirror.reading import read
from apps.payments.mirror.touched import Touched


class Gateway:
    """A list of payments, newest first, and a count of the calls."""

    def __init__(self, **created: int) -> None:
        self.created = dict(sorted(created.items(), key=lambda item: -item[1]))
        self.pages = self.singles = 0

    def read(self, path: str, **given: Any) -> dict[str, Any]:
        if path.startswith("/v1/payment_intents/"):
            return self._single(path.rpartition("/")[2])
        if path == "/v1/refunds":
            return {"data": [], "has_more": False}
        self.pages += 1
        ids = list(self.created)
        if "starting_after" in given:
            ids = ids[ids.index(given["starting_after"]) + 1 :]
        span = given["created"]
        ids = [id for id in ids if span["gte"] <= self.created[id] <= span["lte"]]
        shown = [self._intent(id) for id in ids[: given["limit"]]]
        return {"data": shown, "has_more": len(ids) > given["limit"]}

    def _single(self, id: str) -> dict[str, Any]:
        self.singles += 1
        if id not in self.created:
            raise GatewayRefused("No such payment_intent", code="resource_missing")
        return self._intent(id)

    def _intent(self, id: str) -> dict[str, Any]:
        return {
            "id": id,
            "created": self.created[id],
            "latest_charge": None,
            "payment_method": "pm_1",
            "client_secret": f"{id}_secret_1",
        }


def found(gateway: Gateway, **wanted: int | None) -> set[str]:
    shown = read([Touched(id, at) for id, at in wanted.items()], read=gateway.read)
    assert not any("client_secret" in intent for intent in shown.intents)
    return {intent["id"] for intent in shown.intents}


def test_payments_of_one_second_are_read_page_by_page() -> None:
    all_of_them = {f"pi_{n}": 1000 for n in range(250)}
    gateway = Gateway(**all_of_them)

    assert found(gateway, **all_of_them) == set(all_of_them)
    assert (gateway.pages, gateway.singles) == (3, 0)


def test_pages_are_read_side_by_side() -> None:
    """Each waits until the other is under way: one after the other would wait for ever."""
    gateway = Gateway(**{f"pi_{n}": 1000 + n for n in range(150)})
    both = threading.Barrier(2)

    def together(path: str, **given: Any) -> dict[str, Any]:
        both.wait(timeout=10)
        return gateway.read(path, **given)

    touched = [Touched(id, at) for id, at in gateway.created.items()]
    with ThreadPoolExecutor(2) as readers:
        shown = read(touched, read=together, readers=readers)

    assert {intent["id"] for intent in shown.intents} == set(gateway.created)
    assert (gateway.pages, gateway.singles) == (2, 0)


def test_payments_of_others_between_ours_cost_no_page() -> None:
    ours = {f"pi_{n}": 1000 + n for n in range(5)} | {f"pi_old_{n}": 10 + n for n in range(5)}
    others = {f"pi_other_{n}": 100 + n % 500 for n in range(5000)}
    gateway = Gateway(**ours, **others)

    assert found(gateway, **ours) == set(ours)
    assert (gateway.pages, gateway.singles) == (2, 0)


def test_payments_far_apart_are_read_one_by_one_at_last() -> None:
    ours = {f"pi_{n}": 10_000 * n for n in range(40)}
    others = {f"pi_{n}_{m}": 10_000 * n for n in range(40) for m in range(150)}
    gateway = Gateway(**ours, **others)

    assert found(gateway, **ours) == set(ours)
    assert gateway.pages + gateway.singles < 2 * len(ours)


def test_few_payments_and_those_without_a_moment_are_read_one_by_one() -> None:
    gateway = Gateway(pi_1=1000, pi_2=2000, pi_3=3000)

    assert found(gateway, pi_1=1000, pi_2=2000, pi_3=None) == {"pi_1", "pi_2", "pi_3"}
    assert (gateway.pages, gateway.singles) == (0, 3)


def test_payment_that_the_gateway_does_not_know_is_left_out() -> None:
    wanted = {f"pi_{n}": 1000 for n in range(6)}
    gateway = Gateway(**{id: 1000 for id in wanted if id != "pi_3"})

    assert found(gateway, **wanted) == set(wanted) - {"pi_3"}


def test_outage_is_the_callers() -> None:
    def away(path: str, **_: Any) -> dict[str, Any]:
        raise GatewayUnreachable("away")

    with pytest.raises(GatewayUnreachable):
        read([Touched("pi_1", 1000)], read=away)
