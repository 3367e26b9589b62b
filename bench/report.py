"""The page about a run: one HTML file, nothing fetched, made from results.json alone.

python -m bench.report FOLDER      makes FOLDER/index.html anew from FOLDER/results.json
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from bench.findings import Budget, Findings
from faults.report import STYLE

Record = Mapping[str, Any]
WIDTH, ROW, LABEL = 720, 26, 220
COLOURS = ("var(--pine)", "var(--blue)", "var(--fault)", "var(--tomato)", "var(--soft)")
OWN_STYLE = """
svg { min-width: 40rem; } svg .bar { rx: 3; } svg .mark { stroke: var(--tomato);
  stroke-dasharray: 4 3; stroke-width: 1.2; } svg .line { fill: none; stroke-width: 2; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.wide { margin-top: .8rem; }
"""


def result(
    *,
    machine: Mapping[str, str],
    findings: Sequence[Findings],
    failed: Mapping[str, str],
    budgets: Sequence[Budget],
    made_at: datetime,
    minutes: float,
    quick: bool,
) -> dict[str, Any]:
    """All of a run, as results.json has it."""
    return {
        "made_at": made_at.isoformat(timespec="seconds"),
        "minutes": round(minutes, 1),
        "quick": quick,
        "machine": dict(machine),
        "budgets": [asdict(budget) for budget in budgets],
        "failed": dict(failed),
        "scenarios": [asdict(one) for one in findings],
    }


def in_words(result: Record) -> str:
    """The promises, for the terminal."""
    marks = {True: "holds ", False: "MISSED", None: "not run"}
    lines = [
        f"{marks[budget['holds']]:8}{budget['what']}: {budget['wanted']}"
        + (f"; measured {budget['measured']}" if budget["measured"] else "")
        for budget in result["budgets"]
    ]
    lines += [f"FAILED  {name}: {why}" for name, why in result["failed"].items()]
    return "\n".join(["", *lines])


def page(result: Record) -> str:
    """The whole HTML page."""
    quick = (
        " A quick run: these figures say that it works, not how fast." if result["quick"] else ""
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>How fast the shop is</title><style>{STYLE}{OWN_STYLE}</style></head><body><main>"
        "<h1>How fast the shop is</h1>"
        f"<p class='soft'>{escape(result['made_at'])}, {result['minutes']} minutes,"
        f" medians of repeated runs, load generator on the same machine.{quick}</p>"
        f"<h2>Promises</h2>{_budgets(result['budgets'])}"
        + "".join(
            f"<h2>{escape(name)}</h2><p><span class='mark red'>failed</span> {escape(why)}</p>"
            for name, why in result["failed"].items()
        )
        + "".join(map(_scenario, result["scenarios"]))
        + f"<h2>The machine</h2>{_machine(result['machine'])}</main></body></html>"
    )


def _budgets(budgets: Sequence[Record]) -> str:
    words = {
        True: '<span class="mark green">holds</span>',
        False: '<span class="mark red">missed</span>',
        None: '<span class="mark not-run">not run</span>',
    }
    rows = "".join(
        f"<tr><td>{words[b['holds']]}</td><td>{escape(b['what'])}</td><td>{escape(b['wanted'])}</td>"
        f"<td><b>{escape(b['measured'])}</b></td></tr>"
        for b in budgets
    )
    head = "<tr><th></th><th>what</th><th>promised</th><th>measured</th></tr>"
    return f'<div class="wide" tabindex="0"><table>{head}{rows}</table></div>'


def _machine(machine: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><td>{escape(n)}</td><td>{escape(v)}</td></tr>" for n, v in machine.items())
    return f'<div class="wide" tabindex="0"><table>{rows}</table></div>'


def _scenario(one: Record) -> str:
    head = "".join(
        f'<th class="{_side(one["rows"], field)}">{escape(name)}</th>'
        for field, name in one["columns"].items()
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{_side(one["rows"], field)}">{_shown(row.get(field, ""))}</td>'
            for field in one["columns"]
        )
        + "</tr>"
        for row in one["rows"]
    )
    plots = "".join(_plot(plot, one["plotted"] or one["rows"]) for plot in one["plots"])
    notes = "".join(f"<p>{escape(note)}</p>" for note in one["notes"])
    return (
        f"<h2>{escape(one['title'])}</h2><p class='soft'>{escape(one['about'])}</p>{plots}"
        f'<div class="wide" tabindex="0"><table><tr>{head}</tr>{body}</table></div>{notes}'
    )


def _side(rows: Sequence[Record], field: str) -> str:
    return "n" if any(isinstance(row.get(field), int | float) for row in rows) else ""


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if isinstance(value, float) else escape(str(value))


# --- Plots --------------------------------------------------------------------------------------


def _plot(plot: Record, rows: Sequence[Record]) -> str:
    rows = [row for row in rows if isinstance(row.get(plot["y"]), int | float)]
    if not rows:
        return ""
    series = list(dict.fromkeys(str(row.get(plot["series"], "")) for row in rows))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(series)}
    highest = max([row[plot["y"]] for row in rows] + [plot["mark"] or 0]) or 1
    draw = _bars if plot["kind"] == "bars" else _lines
    drawn = draw(plot, rows, colours, highest)
    key = "".join(
        f'<li><span style="background:{colours[name]}"></span>{escape(name)}</li>'
        for name in series
        if name
    )
    return (
        f"<h3>{escape(plot['title'])}</h3>"
        f'<div class="wide" tabindex="0" role="img" aria-label="{escape(plot["title"])}">{drawn}</div>'
        + (f'<ul class="key">{key}</ul>' if key else "")
    )


def _bars(plot: Record, rows: Sequence[Record], colours: Mapping[str, str], highest: float) -> str:
    width = WIDTH - LABEL - 90
    parts = []
    for place, row in enumerate(rows):
        y = place * ROW + 6
        long = max(1.0, width * row[plot["y"]] / highest)
        name = f"{row[plot['x']]}"
        parts.append(
            f'<text class="name" x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="bar" x="{LABEL}" y="{y}" width="{long:.1f}" height="{ROW - 8}"'
            f' fill="{colours[str(row.get(plot["series"], ""))]}"/>'
            f'<text class="number" x="{LABEL + long + 6:.1f}" y="{y + 13}">'
            f"{row[plot['y']]:,} {escape(plot['unit'])}</text>"
        )
    tall = len(rows) * ROW + 10
    if plot["mark"]:
        x = LABEL + width * plot["mark"] / highest
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{tall - 4}"/>')
    return f'<svg viewBox="0 0 {WIDTH} {tall}">{"".join(parts)}</svg>'


def _lines(plot: Record, rows: Sequence[Record], colours: Mapping[str, str], highest: float) -> str:
    left, top, wide, tall = 60, 14, WIDTH - 90, 190
    steps = sorted({row[plot["x"]] for row in rows})
    # Connections are steps of four: each has the same width. Seconds are as they are.
    by_step = len(steps) <= 8
    longest = (len(steps) - 1 if by_step else steps[-1]) or 1

    def across(value: Any) -> float:
        return left + wide * (steps.index(value) if by_step else value) / longest

    def up(value: float) -> float:
        return top + tall * (1 - value / highest)

    parts = []
    for part in (0, 0.5, 1):
        parts.append(
            f'<line class="grid" x1="{left}" x2="{left + wide}" y1="{up(highest * part):.1f}"'
            f' y2="{up(highest * part):.1f}"/><text x="{left - 6}" y="{up(highest * part) + 4:.1f}"'
            f' text-anchor="end">{highest * part:,.0f}</text>'
        )
    ticks = steps if by_step else [steps[-1] * part / 4 for part in range(5)]
    parts += [
        f'<text x="{left + wide * (place / max(1, len(ticks) - 1)):.1f}" y="{top + tall + 16}"'
        f' text-anchor="middle">{tick:,.0f}</text>'
        for place, tick in enumerate(ticks)
    ]
    for name, colour in colours.items():
        points = [
            (across(row[plot["x"]]), up(row[plot["y"]]))
            for row in rows
            if str(row.get(plot["series"], "")) == name
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line" points="{path}" stroke="{colour}"/>')
        if by_step:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
                      for x, y in points]  # fmt: skip
    if plot["mark"]:
        y = up(plot["mark"])
        parts.append(
            f'<line class="mark" x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    parts.append(
        f'<text x="{left + wide / 2}" y="{top + tall + 32}" text-anchor="middle">'
        f"{escape(plot['x'])}</text>"
    )
    return f'<svg viewBox="0 0 {WIDTH} {top + tall + 40}">{"".join(parts)}</svg>'


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "index.html").write_text(page(json.loads((folder / "results.json").read_text())))
