"""The page about a run: one HTML file, nothing fetched, made from report.json alone.

python -m faults.report FOLDER      makes FOLDER/index.html anew from FOLDER/report.json
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
WIDTH, LEFT, RIGHT = 1200, 44, 8
TOP, PANEL, GAP = 34, 92, 26
LINES = (
    ("accepted", "orders accepted a second"),
    ("finished", "orders finished a second"),
    ("failed", "requests that failed a second, and were repeated"),
)
# How an attempt ended, in words.
OUTCOMES = {
    "503": "told to come back (503)",
    "500": "error (500)",
    "cut off": "cut off",
    "timed out": "timed out",
    "in flight": "still being committed (409)",
}

STYLE = """
:root { color-scheme: light dark; --paper: #f4f6f3; --card: #fff; --mist: #e5ebe7; --line: #cdd7d2;
  --ink: #1c2b2a; --soft: #52625f; --pine: #1f4a3e; --blue: #2a5f8f; --tomato: #b3361f;
  --tomato-wash: #fbe9e4; --moss: #2f5f2c; --moss-wash: #e2eedc; --fault: #e8b84a;
  --rest: #f3dda4; }
@media (prefers-color-scheme: dark) { :root { --paper: #141d1c; --card: #1c2826; --mist: #243330;
  --line: #354743; --ink: #edf2ee; --soft: #a9b9b4; --pine: #8fc7b1; --blue: #8fc0ea;
  --tomato: #ff9c86; --tomato-wash: #3b221d; --moss: #a9d69f; --moss-wash: #22342a;
  --fault: #8a6a1e; --rest: #54431a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 78rem; margin: 0 auto; padding: clamp(1rem, 4vw, 3rem); }
h1, h2 { font-family: "Iowan Old Style", Palatino, Georgia, serif; font-weight: 400;
  line-height: 1.15; margin: 0; text-wrap: balance; }
h1 { font-size: clamp(1.8rem, 1.3rem + 2.4vw, 3rem); }
h2 { font-size: clamp(1.3rem, 1.1rem + 1vw, 1.8rem); margin: 2.6rem 0 .8rem; }
p { margin: .5rem 0; max-width: 68ch; }
.soft, small { color: var(--soft); }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--mist);
  padding: .1em .35em; border-radius: 5px; overflow-wrap: anywhere; }
.mark { display: inline-block; font-weight: 600; font-size: .82rem; padding: .1rem .6rem;
  border-radius: 99px; white-space: nowrap; }
.green { background: var(--moss-wash); color: var(--moss); }
.red { background: var(--tomato-wash); color: var(--tomato); }
.not-run { background: var(--mist); color: var(--soft); }
.tiles { display: grid; gap: .75rem; margin: 1.6rem 0 0; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(9.2rem, 1fr)); }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .8rem .95rem; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.tile dd { margin: 0; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile dt { color: var(--soft); font-size: .86rem; line-height: 1.3; }
.tile.bad dd { color: var(--tomato); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; padding: .6rem; }
.wide:focus-visible { outline: 2px solid var(--pine); outline-offset: 2px; }
svg { display: block; width: 100%; min-width: 56rem; height: auto; font: 11px ui-sans-serif,
  system-ui, sans-serif; }
svg text { fill: var(--soft); } svg .name { fill: var(--ink); font-size: 12px; }
svg .number { font-size: 10px; fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .fault { fill: var(--fault); opacity: .5; } svg .rest { fill: var(--rest); opacity: .45; }
svg .bad { fill: var(--tomato); opacity: .35; }
svg .accepted { stroke: var(--pine); } svg .finished { stroke: var(--blue); }
svg .failed { stroke: var(--tomato); }
svg path { fill: none; stroke-width: 1.4; stroke-linejoin: round; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .86rem; color: var(--soft);
  margin: .6rem 0 0; padding: 0; list-style: none; }
.key span { display: inline-block; width: .9rem; height: .9rem; border-radius: 3px;
  vertical-align: -.1rem; margin-right: .4rem; }
ol.faults { list-style: none; margin: 0; padding: 0; display: grid; gap: .7rem; }
.faults > li { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .9rem 1.1rem; }
.faults > li.is-red { border-color: var(--tomato); }
.faults h3 { font: 600 1.02rem/1.35 inherit; font-family: inherit; margin: 0; display: flex;
  flex-wrap: wrap; gap: .35rem .7rem; align-items: baseline; }
.faults h3 b { color: var(--soft); font-weight: 400; font-variant-numeric: tabular-nums; }
.faults p { margin: .25rem 0 0; }
.seen { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.4rem, 1fr));
  gap: .5rem 1rem; margin: .75rem 0 0; }
.seen div { border-top: 1px solid var(--line); padding-top: .3rem; }
.seen dt { color: var(--soft); font-size: .8rem; line-height: 1.3; }
.seen dd { margin: 0; font-variant-numeric: tabular-nums; }
.wrong { color: var(--tomato); margin: .6rem 0 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td:last-child, th:last-child { text-align: right; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; }
"""


def render(record: Record) -> str:
    """The whole page."""
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
        f"<code>python -m faults --seed {record['seed']}</code></p>"
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
        ("looks at the books", totals["looks_at_the_books"], False),
        ("answers asked for again and compared", totals["replays_compared"], False),
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
        f"<p>{escape(_sentence(row['done']))}</p>"
        f'<p class="soft">Must come out: {escape(row["comes_out"])}.</p>'
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
