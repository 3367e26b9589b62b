"""The page about a run, made from its JSON alone."""

import copy
from html.parser import HTMLParser
from typing import Any

import pytest

from tools.faults.report import render

ROW: dict[str, Any] = {
    "name": "redis-frozen",
    "action": "SIGSTOP for Redis, for 30 seconds",
    "expected": "orders are accepted all the while",
    "began_at": 1_000_010.0,
    "healed_at": 1_000_040.0,
    "rested_at": 1_000_047.5,
    "accepted": 612,
    "attempts": {"accepted": 612, "503": 4, "cut off": 2},
    "replays": 9,
    "struck": {"saga.notify.do.before_commit": 2},
    "p99_s": 0.41,
    "first_accepted_s": 0.1,
    "recovery_s": 7.5,
    "notes": {},
    "wrong": [],
    "not_run": "",
    "verdict": "green",
}
RECORD: dict[str, Any] = {
    "seed": 4711,
    "began_at": 1_000_000.0,
    "began": "2026-01-02T03:04:05+00:00",
    "seconds": 60.0,
    "machine": {"cores": 2, "memory_gb": 7.8, "python": "3.11", "kernel": "6.1"},
    "verdict": "green",
    "totals": {
        "faults_injected": 1,
        "combinations": 0,
        "not_run": 0,
        "crash_points_declared": 46,
        "crash_points_struck": 1,
        "processes_killed_at_points": 2,
        "orders_accepted": 1234,
        "requests_repeated": 6,
        "replays_compared": 9,
        "orders_lost": 0,
        "orders_doubled": 0,
        "violations": 0,
        "invariant_checks": 31,
        "longest_recovery_s": 7.5,
    },
    "attempts": {},
    "orders": {},
    "struck": {"saga.notify.do.before_commit": 2},
    "rows": [ROW],
    "closing": [],
    "timeline": {"accepted": [20] * 60, "finished": [19] * 60, "failed": [0] * 60},
}


class Page(HTMLParser):
    """What stands on the page, and whether every tag that opens also closes."""

    VOID = frozenset({"meta", "rect", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.fetched: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


@pytest.fixture
def record() -> dict[str, Any]:
    return copy.deepcopy(RECORD)


def test_shows_what_came_out_and_fetches_nothing(record: dict[str, Any]) -> None:
    page = Page(render(record))
    assert page.fetched == []
    for words in ("redis-frozen", "1,234", "1 of 46", "--seed 4711", "0.41 s", "7.5 s", "green"):
        assert words in page.text


def test_a_violation_is_red_and_in_words(record: dict[str, Any]) -> None:
    record["verdict"] = record["rows"][0]["verdict"] = "red"
    record["rows"][0]["wrong"] = ["invariant 3, 0 ≤ reserved ≤ on_hand: stock item 7: 3 of 2"]
    page = render(record)
    assert "stock item 7: 3 of 2" in Page(page).text
    assert 'class="is-red"' in page


def test_what_was_not_run_says_why_and_is_not_green(record: dict[str, Any]) -> None:
    why = "libfaketime is not installed"
    record["rows"].append(
        ROW | {"name": "clock-ahead", "not_run": why, "verdict": "not run", "recovery_s": None}
    )
    page = render(record)
    assert why in Page(page).text
    assert '<span class="mark not-run">not run</span>' in page


def test_words_of_the_shop_are_text_and_not_markup(record: dict[str, Any]) -> None:
    record["rows"][0]["wrong"] = ["<script>alert(1)</script>"]
    page = render(record)
    assert "<script>" not in page
    assert "<script>alert(1)</script>" in Page(page).text
