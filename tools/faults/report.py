"""The report of a run: one HTML file that loads nothing, made from report.json alone.

python -m tools.faults.report FOLDER      makes FOLDER/index.html anew from FOLDER/report.json
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tools.report_style import STYLE

Record = Mapping[str, Any]
WIDTH, LEFT, RIGHT = 1200, 44, 8
TOP, PANEL, GAP = 34, 92, 26
LINES = (
    ("accepted", "orders accepted a second"),
    ("finished", "orders finished a second"),
    ("failed", "requests that failed a second, and were repeated"),
)
# Outcomes of an attempt, as the page names them.
OUTCOMES = {
    "503": "overloaded (503)",
    "500": "error (500)",
    "cut off": "cut off",
    "timed out": "timed out",
    "in flight": "still being committed (409)",
}


def render(record: Record) -> str:
    """The whole HTML page of a run's record (record.py)."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Faults: {escape(record['verdict'])}, seed {record['seed']}</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *_head(record),
            *_tiles(record["totals"]),
            *_closing(record["closing"]),
            "<h2>The run, second by second</h2>",
            *_timeline(record),
            "<h2>Every fault</h2>",
            '<ol class="faults">',
            *(_row(number, row, record) for number, row in enumerate(record["rows"], 1)),
            "</ol>",
            *_points(record),
            "</main></body></html>",
        )
    )


def _head(record: Record) -> Iterable[str]:
    machine, verdict = record["machine"], record["verdict"]
    yield f'<p><span class="mark {verdict}">{verdict}</span></p>'
    yield "<h1>What was broken, and what came out</h1>"
    yield (
        f'<p class="soft">{escape(record["began"])}, {_clock(record["seconds"])} minutes, on '
        f"{machine['cores']} cores and {machine['memory_gb']} GB with the shoppers on the same "
        f"machine. Again with the same shoppers and combinations: "
        f"<code>python -m tools.faults --seed {record['seed']}</code></p>"
    )


def _tiles(totals: Record) -> Iterable[str]:
    recovery = totals["longest_recovery_s"]
    crashes = f"{totals['crash_points_struck']} of {totals['crash_points_declared']}"
    tiles = (
        ("faults injected", totals["faults_injected"], False),
        ("crash points struck", crashes, False),
        ("orders accepted", totals["orders_accepted"], False),
        ("orders lost", totals["orders_lost"], True),
        ("orders or charges doubled", totals["orders_doubled"], True),
        ("invariants violated", totals["violations"], True),
        ("checks of the invariants", totals["invariant_checks"], False),
        ("replayed answers compared", totals["replays_compared"], False),
        ("longest recovery", "–" if recovery is None else f"{recovery:.0f} s", False),
    )
    yield '<dl class="tiles">'
    for name, value, must_be_none in tiles:
        bad = " bad" if must_be_none and value else ""
        shown = f"{value:,}" if isinstance(value, int) else value
        yield f'<div class="tile{bad}"><dt>{name}</dt><dd>{shown}</dd></div>'
    yield "</dl>"


def _closing(wrong: Sequence[str]) -> Iterable[str]:
    if wrong:
        yield "<h2>At the end</h2>"
        yield _wrong(wrong)


def _wrong(wrong: Sequence[str]) -> str:
    shown = [f"<li>{escape(text)}</li>" for text in wrong[:12]]
    if len(wrong) > len(shown):
        shown.append(f"<li>and {len(wrong) - len(shown)} more, in report.json</li>")
    return f'<ul class="wrong">{"".join(shown)}</ul>' if wrong else ""


# --- The plot -----------------------------------------------------------------------------------


def _timeline(record: Record) -> Iterable[str]:
    lines = record["timeline"]
    seconds = max(len(lines["accepted"]), 1)
    began = _epoch(record)
    height = TOP + len(LINES) * (PANEL + GAP)

    def x(second: float) -> float:
        share = min(max(second / seconds, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    label = "Orders accepted, finished and requests failed per second, with the faults' intervals"
    yield '<div class="wide" tabindex="0" role="region" aria-label="timeline">'
    yield f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
    yield from _bands(record["rows"], began, x, height)
    for place, (name, title) in enumerate(LINES):
        yield from _panel(name, title, lines[name], TOP + place * (PANEL + GAP), x)
    for minute in range(seconds // 60 + 1):
        yield f'<text x="{x(minute * 60)}" y="{height - 4}" text-anchor="middle">{minute}:00</text>'
    yield "</svg></div>"
    yield '<ul class="key">'
    for colour, words in (
        ("fault", "a fault is in force (number: below)"),
        ("rest", "healed, not yet at rest"),
        ("pine", "accepted"),
        ("blue", "finished: confirmed or cancelled"),
        ("tomato", "failed: 503, 500, cut off, timed out"),
    ):
        yield f'<li><span style="background: var(--{colour})"></span>{words}</li>'
    yield "</ul>"


def _bands(rows: Sequence[Record], began: float, x: Any, height: int) -> Iterable[str]:
    bottom = height - GAP + 6
    for number, row in enumerate(rows, 1):
        if row["not_run"]:
            continue
        start, healed = x(row["began_at"] - began), x(row["healed_at"] - began)
        rested = x((row["rested_at"] or row["healed_at"]) - began)
        kind = "bad" if row["verdict"] == "red" else "fault"
        title = f"<title>{number}. {escape(row['name'])}: {row['verdict']}</title>"
        for name, left, right in ((kind, start, healed), ("rest", healed, rested)):
            width = max(right - left, 1.5 if name == kind else 0)
            yield (
                f'<rect class="{name}" x="{left}" y="20" width="{width:.1f}"'
                f' height="{bottom - 20}">{title}</rect>'
            )
        level = 9 if number % 2 else 18
        yield f'<text class="number" x="{start}" y="{level}">{number}</text>'


def _panel(name: str, title: str, values: Sequence[int], top: int, x: Any) -> Iterable[str]:
    most = max(max(values, default=0), 1)
    floor = top + PANEL

    def y(value: float) -> float:
        return round(floor - value / most * (PANEL - 16), 1)

    yield f'<line class="grid" x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}"/>'
    yield f'<line class="grid" x1="{LEFT}" y1="{y(most)}" x2="{WIDTH - RIGHT}" y2="{y(most)}"/>'
    yield f'<text x="{LEFT - 6}" y="{y(most) + 4}" text-anchor="end">{most}</text>'
    yield f'<text x="{LEFT - 6}" y="{floor + 4}" text-anchor="end">0</text>'
    yield f'<text class="name" x="{LEFT + 4}" y="{top + 11}">{title}</text>'
    path = " ".join(f"{x(second)},{y(value)}" for second, value in enumerate(values))
    yield f'<path class="{name}" d="M{path}"/>'


# --- The faults ---------------------------------------------------------------------------------


def _row(number: int, row: Record, record: Record) -> str:
    verdict = row["verdict"]
    mark = verdict.replace(" ", "-")
    head = (
        f"<h3><b>{number}</b> {escape(row['name'])} "
        f'<span class="mark {mark}">{verdict}</span></h3>'
        f"<p>{escape(_sentence(row['action']))}</p>"
        f'<p class="soft">Expected: {escape(row["expected"])}.</p>'
    )
    body = f"<p>{escape(row['not_run'])}</p>" if row["not_run"] else _seen(row, _epoch(record))
    return f'<li class="is-{mark}">{head}{body}{_wrong(row["wrong"])}</li>'


def _seen(row: Record, began: float) -> str:
    cells = [
        ("broken at", _clock(row["began_at"] - began)),
        ("for", f"{row['healed_at'] - row['began_at']:.1f} s"),
        ("accepted", f"{row['accepted']:,}"),
    ]
    cells += [
        (words, f"{row['attempts'][outcome]:,}")
        for outcome, words in OUTCOMES.items()
        if row["attempts"].get(outcome)
    ]
    if row["replays"]:
        cells.append(("replays compared", f"{row['replays']:,}"))
    if row["struck"]:
        struck = f"{sum(row['struck'].values())} at {len(row['struck'])} points"
        cells.append(("processes struck", struck))
    if row["p99_s"] is not None:
        cells.append(("acceptance, p99", f"{row['p99_s']:.2f} s"))
    if row["first_accepted_s"] is not None:
        cells.append(("accepts again after", f"{row['first_accepted_s']:.1f} s"))
    rest = "never" if row["recovery_s"] is None else f"{row['recovery_s']:.1f} s"
    cells.append(("at rest after", rest))
    shown = "".join(f"<div><dt>{words}</dt><dd>{value}</dd></div>" for words, value in cells)
    return f'<dl class="seen">{shown}</dl>'


def _points(record: Record) -> Iterable[str]:
    if not record["struck"]:
        return
    yield "<h2>Where processes were struck</h2>"
    yield "<details><summary>all points</summary><table>"
    yield "<thead><tr><th>point</th><th>times</th></tr></thead><tbody>"
    for name, times in record["struck"].items():
        yield f"<tr><td><code>{escape(name)}</code></td><td>{times}</td></tr>"
    yield "</tbody></table></details>"


def _epoch(record: Record) -> float:
    return float(record["began_at"])


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "index.html").write_text(render(json.loads((folder / "report.json").read_text())))
