"""The page about a run: one HTML file, nothing fetched, made from results.json alone.

python -m tools.bench.report FOLDER      makes FOLDER/index.html anew from FOLDER/results.json
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from tools.bench import plots
from tools.bench.findings import Budget, Findings
from tools.report_style import STYLE

Record = Mapping[str, Any]
VERDICTS = {True: ("green", "holds"), False: ("red", "missed"), None: ("not-run", "not measured")}

OWN_STYLE = """
main { display: flow-root; } section { scroll-margin-top: 1rem; }
h3 { font: 600 1rem/1.35 ui-sans-serif, system-ui, sans-serif; margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 1.4rem 0 0; }
nav a { color: var(--ink); text-decoration: none; font-size: .88rem; padding: .3rem .75rem;
  background: var(--card); border: 1px solid var(--line); border-radius: 99px; }
nav a:hover { border-color: var(--pine); }
a:focus-visible { outline: 2px solid var(--pine); outline-offset: 2px; }
.warn { background: var(--rest); color: var(--ink); border-radius: 12px; padding: .7rem 1rem;
  max-width: none; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { color: var(--soft); font-weight: 400; font-size: .84rem; vertical-align: bottom; }
th, td, td:last-child, th:last-child { text-align: left; padding: .45rem .8rem;
  border-bottom: 1px solid var(--line); } td { vertical-align: top; }
tr:last-child > td { border-bottom: 0; } .rows td:first-child { min-width: 10rem; }
td.n, th.n, td.n:last-child, th.n:last-child { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.wide { margin: .9rem 0 0; padding: .25rem .4rem; }
.measured { font-weight: 600; font-variant-numeric: tabular-nums; }
.plots { display: grid; gap: .9rem; margin: 1rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1rem 1.1rem .9rem; min-width: 0; }
figcaption { margin: 0 0 .8rem; } figcaption small { display: block; font-size: .84rem; }
figure svg { min-width: 0; font-size: 12px; } svg .line { fill: none; stroke-width: 2.2;
  stroke-linejoin: round; stroke-linecap: round; }
svg .mark { stroke: var(--tomato); stroke-dasharray: 5 4; stroke-width: 1.3; }
svg .marked { fill: var(--tomato); }
svg.narrow { display: none; }
.bars { display: grid; gap: .7rem; }
.bars h4 { font-size: .88rem; font-weight: 400; line-height: 1.3; margin: 0 0 .2rem; }
.bar { display: grid; grid-template-columns: 1fr 6.6rem; align-items: center; gap: .6rem;
  min-height: 1.35rem; }
.track { position: relative; height: 100%; min-height: 1.35rem; display: flex;
  align-items: center; }
.track > i { display: block; height: .95rem; border-radius: 4px; min-width: 3px; }
.track > b { position: absolute; inset: -.15rem auto -.15rem 0; width: 0;
  border-left: 1.5px dashed var(--tomato); }
.bar > span { font-size: .86rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.key .dash { width: 1.1rem; height: 0; border-top: 1.5px dashed var(--tomato); border-radius: 0;
  vertical-align: .25rem; }
@media (max-width: 44rem) {
  svg.narrow { display: block; } svg.broad { display: none; }
  .stacks thead { position: absolute; clip-path: inset(50%); }
  .stacks, .stacks tbody, .stacks tr, .stacks td { display: block; border: 0; padding: 0; }
  .stacks tr { padding: .8rem .5rem; border-bottom: 1px solid var(--line); }
  .stacks tr:last-child { border: 0; }
  .stacks td + td { margin-top: .25rem; }
  .stacks td.promised::before { content: "promised "; color: var(--soft); }
  .bar { grid-template-columns: 1fr 5.6rem; } figure { padding: .8rem; }
}
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
    runs: int,
    took: Mapping[str, float],
) -> dict[str, Any]:
    """All of a run, as results.json has it."""
    return {
        "made_at": made_at.isoformat(timespec="seconds"),
        "minutes": round(minutes, 1),
        "quick": quick,
        "runs": runs,
        "seconds": dict(took),
        "machine": dict(machine),
        "budgets": [asdict(budget) for budget in budgets],
        "failed": dict(failed),
        "scenarios": [_with_share(asdict(one), findings) for one in findings],
    }


def _with_share(one: dict[str, Any], findings: Sequence[Findings]) -> dict[str, Any]:
    """The scenario with the share of what PostgreSQL gives here, where both were measured."""
    given = [row["per_second"] for found in findings if found.name == "raw" for row in found.rows]
    field = one["share_of_raw"]
    if not given or not field:
        return one
    rows = [dict(row) | {"of_raw": f"{row[field] / max(given):.0%}"} for row in one["rows"]]
    note = f"Of raw: the share of the {max(given):,} a second that PostgreSQL takes from pgbench."
    return one | {
        "rows": rows,
        "columns": one["columns"] | {"of_raw": "of raw"},
        "notes": [*one["notes"], note],
    }


def in_words(result: Record) -> str:
    """The promises, for the terminal."""
    lines = [
        f"{VERDICTS[budget['holds']][1]:14}{budget['what']}: {budget['wanted']}"
        + (f"; measured {budget['measured']}" if budget["measured"] else "")
        for budget in result["budgets"]
    ]
    lines += [f"FAILED        {name}: {why}" for name, why in result["failed"].items()]
    return "\n".join(["", *lines])


def page(result: Record) -> str:
    """The whole HTML page."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>How fast the shop is</title><style>{STYLE}{OWN_STYLE}</style></head>",
            "<body><main>",
            *_head(result),
            *_budgets(result["budgets"]),
            *(_failure(name, why) for name, why in result["failed"].items()),
            *map(_scenario, result["scenarios"]),
            *_machine(result["machine"]),
            "</main></body></html>",
        )
    )


def _head(result: Record) -> Iterable[str]:
    yield "<h1>How fast the shop is</h1>"
    yield (
        f'<p class="soft">{_day(result["made_at"])}, {result["minutes"]} minutes. The shop'
        " with all its processes and the load generator on one machine. Of"
        f" {result['runs']} runs each figure is of the one in the middle; the books were audited"
        " after each.</p>"
    )
    if result["quick"]:
        yield (
            '<p class="warn">A quick run: these figures say that everything works, not how fast'
            " it is.</p>"
        )
    links = [("promises", "Promises")] + [
        (one["name"], one["title"]) for one in result["scenarios"]
    ]
    yield "<nav>"
    yield from (f'<a href="#{escape(name)}">{escape(title)}</a>' for name, title in links)
    yield "</nav>"


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%-d %B %Y, %H:%M} UTC"


def _budgets(budgets: Sequence[Record]) -> Iterable[str]:
    asked = [budget for budget in budgets if budget["holds"] is not None]
    held = sum(budget["holds"] for budget in asked)
    yield '<section id="promises"><h2>Promises</h2>'
    yield f'<p class="soft">{held} of {len(asked)} that were measured hold.</p>'
    yield '<div class="wide"><table class="stacks"><thead><tr><th></th><th>what</th>'
    yield "<th>promised</th><th>measured</th></tr></thead><tbody>"
    for budget in budgets:
        colour, word = VERDICTS[budget["holds"]]
        yield (
            f'<tr><td><span class="mark {colour}">{word}</span></td>'
            f"<td>{escape(budget['what'])}</td>"
            f'<td class="promised">{escape(budget["wanted"])}</td>'
            f'<td class="measured">{escape(budget["measured"] or "–")}</td></tr>'
        )
    yield "</tbody></table></div></section>"


def _failure(name: str, why: str) -> str:
    return (
        f'<section id="{escape(name)}"><h2>{escape(name)}</h2>'
        f'<p><span class="mark red">failed</span> {escape(why)}</p></section>'
    )


def _scenario(one: Record) -> str:
    drawn = "".join(plots.figure(plot, one["plotted"] or one["rows"]) for plot in one["plots"])
    notes = "".join(f"<p>{escape(note)}</p>" for note in one["notes"])
    return (
        f'<section id="{escape(one["name"])}"><h2>{escape(one["title"])}</h2>'
        f'<p class="soft">{escape(one["about"])}</p>'
        + (f'<div class="plots">{drawn}</div>' if drawn else "")
        + f"{_table(one)}{notes}</section>"
    )


def _table(one: Record) -> str:
    rows, columns = one["rows"], one["columns"]
    sides = {field: _side(rows, field) for field in columns}
    head = "".join(
        f'<th class="{sides[field]}">{escape(name)}</th>' for field, name in columns.items()
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{sides[field]}">{_shown(row.get(field, ""))}</td>' for field in columns
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(one["title"])}">'
        f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _machine(machine: Mapping[str, str]) -> Iterable[str]:
    rows = "".join(f"<tr><td>{escape(n)}</td><td>{escape(v)}</td></tr>" for n, v in machine.items())
    yield '<section id="machine"><h2>The machine</h2>'
    yield f'<div class="wide"><table><tbody>{rows}</tbody></table></div></section>'


def _side(rows: Sequence[Record], field: str) -> str:
    numbers = any(isinstance(row.get(field), int | float) for row in rows)
    return "n" if numbers or field == "of_raw" else ""


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if isinstance(value, float) else escape(str(value))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "index.html").write_text(page(json.loads((folder / "results.json").read_text())))
