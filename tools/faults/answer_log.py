"""What the shop answered to the shoppers: the clients' own record, kept outside the shop.

An accepted order (a 202) is written to a file at once. It is the evidence for the check that no
accepted order is lost.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

# How an attempt ended. The first two are answers to keep, the next two are correct refusals.
ACCEPTED, REPLAYED, REFUSED, OVERLOADED = "accepted", "replayed", "refused", "503"
BROKEN, CUT_OFF, TIMED_OUT, IN_FLIGHT = "500", "cut off", "timed out", "in flight"
HONEST_503 = frozenset({"overloaded", "outcome_unknown"})
AGAIN = frozenset({OVERLOADED, BROKEN, CUT_OFF, TIMED_OUT, IN_FLIGHT})  # the request is repeated


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to the checkout and its outcome. `at` is time.time()."""

    at: float
    seconds: float
    outcome: str
    code: str = ""


@dataclass(slots=True)
class AnswerLog:
    """All answers of a run. May be written from many threads."""

    file: Path
    attempts: list[Attempt] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)  # idempotency key → order id
    accepted_at: list[float] = field(default_factory=list)
    complaints: list[tuple[float, str]] = field(default_factory=list)  # wrong answers, and when
    replays: list[float] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)  # idempotency keys
    browsed: list[Attempt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, key: str, order_id: str) -> None:
        """Note an accepted order; it is on disk before this returns."""
        with self._lock:
            self.accepted[key] = order_id
            self.accepted_at.append(time.time())
            with self.file.open("a") as file:
                file.write(f"{order_id}\n")

    def complain(self, text: str) -> None:
        """Note an answer that must not have been given."""
        self.complaints.append((time.time(), text))

    def accepted_between(self, begin: float, end: float) -> int:
        return sum(begin <= at <= end for at in self.accepted_at)

    def first_accepted_after(self, moment: float) -> float | None:
        """Seconds from `moment` to the next accepted order; None when there was none."""
        later = [at for at in self.accepted_at if at > moment]
        return round(min(later) - moment, 2) if later else None


def outcome_of(answer: requests.Response) -> tuple[str, str]:
    """The outcome of an answered attempt, and the problem's code."""
    if answer.status_code == 202:
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        return (REPLAYED if replayed else ACCEPTED), ""
    try:
        code = str(answer.json()["code"])
    except (json.JSONDecodeError, KeyError, TypeError, requests.RequestException):
        code = str(answer.status_code)
    if answer.status_code == 503:
        return (OVERLOADED if code in HONEST_503 else BROKEN), code
    if answer.status_code >= 500:
        return BROKEN, code
    return (IN_FLIGHT if code == "idempotency_in_flight" else REFUSED), code


def outcome_without_answer(error: requests.RequestException) -> str:
    return TIMED_OUT if isinstance(error, requests.Timeout) else CUT_OFF
