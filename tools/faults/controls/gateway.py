"""Faults of the gateway: rules for the sandbox, its clock, and what it knows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import requests

Rule = dict[str, Any]


def rule(fault: str, *operations: str, **more: Any) -> Rule:
    """One of docs/sandbox.md's: `rule("timeout_after", "refunds.create", probability=0.5)`."""
    return {"fault": fault, "operations": list(operations or ("*",)), **more}


class GatewayControls:
    """The sandbox at `url`. `seed` decides which calls a rule with a probability applies to."""

    def __init__(self, url: str, *, seed: int) -> None:
        self._url = url
        self._seed = seed

    def apply(self, *rules: Rule) -> None:
        """The faults of the gateway from now on; without rules it is healed."""
        self._control("faults", {"rules": list(rules), "seed": self._seed})

    def advance_clock(self, by: timedelta) -> None:
        """Age the gateway's idempotency keys."""
        self._control("clock", {"advance_s": by.total_seconds()})

    def struck(self) -> int:
        """How many calls the present rules have applied to."""
        answer = requests.get(f"{self._url}/_sandbox/faults", timeout=10)
        return sum(rule["struck"] for rule in answer.json()["rules"])

    def intents(self) -> Iterator[dict[str, Any]]:
        """Every payment intent that the gateway knows, oldest first."""
        after: int | None = 0
        while after is not None:
            page = requests.get(
                f"{self._url}/_sandbox/state", params={"after": after}, timeout=30
            ).json()
            yield from page["intents"]
            after = page["next"]

    def _control(self, what: str, body: dict[str, Any]) -> None:
        answer = requests.post(f"{self._url}/_sandbox/{what}", json=body, timeout=10)
        if answer.status_code != 200:
            raise RuntimeError(f"the sandbox refuses: {answer.text}")
