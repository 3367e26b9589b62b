"""The page about a run, made from its JSON alone."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from tools.bench import plots
from tools.bench.findings import Budget, Findings, Plot
from tools.bench.report import in_words, page, result

RAW = Findings(
    name="raw", title="What PostgreSQL gives", about="", columns={"per_second": "orders a second"},
    rows=[{"per_second": 20_000}, {"per_second": 900}],
)  # fmt: skip
ACCEPT = Findings(
    name="accept",
    title="Orders accepted",
    about="The whole endpoint.",
    columns={"goods": "what is bought", "connections": "connections", "per_second": "a second"},
    rows=[
        {"goods": "one hot SKU", "connections": 1, "per_second": 300},
        {"goods": "one hot SKU", "connections": 64, "per_second": 2_000},
    ],
    plots=[
        Plot(title="orders a second", kind="lines", x="connections", y="per_second", unit="/s",
             series="goods", mark=1500),
        Plot(title="the same in bars", kind="bars", x="connections", y="per_second", unit="/s",
             where={"connections": 64}),
    ],
    share_of_raw="per_second",
)  # fmt: skip
HELD = Budget(what="orders accepted", wanted="≥ 1,500/s", measured="2,000/s", holds=True)


class Page(HTMLParser):
    """Its words and what it would fetch; raises when a tag is left open."""

    VOID = frozenset(
        {"meta", "br", "polyline", "line", "circle", "rect"}  # the last four of SVG, closed by />
    )

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]
        self.ids |= {str(value) for name, value in attrs if name == "id"}
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


def made(**changed: Any) -> dict[str, Any]:
    """A run's results, as they come back from the file."""
    run: dict[str, Any] = {
        "machine": {"processor": "2 × Example"},
        "findings": [RAW, ACCEPT],
        "failed": {},
        "budgets": [HELD],
        "made_at": datetime(2026, 1, 2, tzinfo=UTC),
        "minutes": 29.96,
        "quick": False,
        "runs": 3,
        "took": {"raw": 40, "accept": 210},
    }
    found: dict[str, Any] = json.loads(json.dumps(result(**run | changed)))
    return found


def test_shows_verdicts_figures_and_the_machine_and_fetches_nothing() -> None:
    shown = Page(page(made()))
    for words in (
        "holds",
        "≥ 1,500/s",
        "2,000/s",
        "one hot SKU",
        "2 × Example",
        "promise: 1,500/s",
    ):
        assert words in shown.text
    assert {link.removeprefix("#") for link in shown.links} <= shown.ids
    assert "A quick run" not in shown.text


def test_tells_the_share_of_what_postgresql_gives() -> None:
    accepted = made()["scenarios"][1]
    assert [row["of_raw"] for row in accepted["rows"]] == ["2%", "10%"]
    assert "of_raw" not in made(findings=[ACCEPT])["scenarios"][0]["columns"]


def test_a_missed_promise_and_a_failed_scenario_are_red_and_in_words() -> None:
    missed = Budget(what="orders finished", wanted="≥ 200/s", measured="150/s", holds=False)
    run = made(budgets=[HELD, missed], failed={"live": "TimeoutError: <late>"})
    shown = page(run)
    assert '<span class="mark red">missed</span>' in shown
    assert "1 of 2 that were measured hold" in Page(shown).text
    assert "TimeoutError: <late>" in Page(shown).text
    assert "<late>" not in shown
    assert "FAILED        live: TimeoutError: <late>" in in_words(run)


def test_a_quick_run_says_that_its_figures_mean_nothing() -> None:
    assert "not how fast" in Page(page(made(quick=True))).text


def test_a_plot_draws_only_the_rows_that_it_is_about() -> None:
    rows = [{"kind": "steady", "second": 0, "count": 7}, {"kind": "burst", "second": 0, "count": 9}]
    plot = {"title": "queue", "kind": "bars", "x": "second", "y": "count", "unit": "", "series": "",
            "mark": None, "where": {"kind": "burst"}}  # fmt: skip
    drawn = plots.figure(plot, rows)
    assert ">9<" in drawn
    assert ">7<" not in drawn
    assert plots.figure(plot | {"where": {"kind": "never"}}, rows) == ""


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, [0, 1]),
        (0.7, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (1500, [0, 500, 1000, 1500]),
        (2001, [0, 500, 1000, 1500, 2000, 2500]),
        (96_000, [0, 20_000, 40_000, 60_000, 80_000, 100_000]),
    ],
)
def test_an_axis_has_round_numbers_past_the_highest(highest: float, ticks: list[int]) -> None:
    assert plots._ticks(highest) == ticks
