"""Figures of the report: bars in HTML, which fit any width, and lines in SVG, drawn twice, for a
wide and for a narrow screen. Colours are the page's variables, so that they follow light and dark.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

Record = Mapping[str, Any]
COLOURS = ("var(--pine)", "var(--blue)", "var(--fault)", "var(--tomato)", "var(--soft)")
TALL, TOP, BOTTOM, RIGHT = 200, 16, 44, 14
# Up to so many places on the axis each gets the same distance: 1, 16, 64, 256 connections.
BY_STEP = 8


def figure(plot: Record, rows: Sequence[Record]) -> str:
    """One plot of the rows it is about; nothing when none has a figure."""
    rows = [
        row
        for row in rows
        if isinstance(row.get(plot["y"]), int | float)
        and all(row.get(field) == value for field, value in (plot.get("where") or {}).items())
    ]
    if not rows:
        return ""
    names = list(dict.fromkeys(str(row.get(plot["series"], "")) for row in rows))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    draw = _bars if plot["kind"] == "bars" else _lines
    return (
        f"<figure><figcaption><h3>{escape(_capital(plot['title']))}</h3></figcaption>"
        f"{draw(plot, rows, colours)}{_key(plot, colours)}</figure>"
    )


def _key(plot: Record, colours: Mapping[str, str]) -> str:
    entries = [
        f'<li><span style="background:{colour}"></span>{escape(name)}</li>'
        for name, colour in colours.items()
        if name
    ]
    if plot["mark"]:
        promise = f"promise: {_number(plot['mark'], plot['unit'])}"
        entries.append(f'<li><span class="dash"></span>{escape(promise)}</li>')
    return f'<ul class="key">{"".join(entries)}</ul>' if entries else ""


# --- Bars ---------------------------------------------------------------------------------------


def _bars(plot: Record, rows: Sequence[Record], colours: Mapping[str, str]) -> str:
    highest = max([row[plot["y"]] for row in rows] + [plot["mark"] or 0]) or 1
    mark = (
        f'<b style="left:{100 * plot["mark"] / highest:.1f}%"></b>' if plot["mark"] else ""
    )  # the promise, across every bar
    groups = []
    for name in dict.fromkeys(str(row[plot["x"]]) for row in rows):
        bars = "".join(
            f'<div class="bar"><div class="track"><i style="width:'
            f"{100 * row[plot['y']] / highest:.1f}%;background:"
            f'{colours[str(row.get(plot["series"], ""))]}"></i>{mark}</div>'
            f"<span>{escape(_number(row[plot['y']], plot['unit']))}</span></div>"
            for row in rows
            if str(row[plot["x"]]) == name
        )
        groups.append(f"<div><h4>{escape(_label(plot, name))}</h4>{bars}</div>")
    return f'<div class="bars">{"".join(groups)}</div>'


def _label(plot: Record, name: str) -> str:
    """A bare number needs its noun: 10 shoppers."""
    return f"{name} {plot['x']}" if name.isdigit() else name


# --- Lines --------------------------------------------------------------------------------------


def _lines(plot: Record, rows: Sequence[Record], colours: Mapping[str, str]) -> str:
    return "".join(
        f'<svg class="{name}" viewBox="0 0 {width} {TOP + TALL + BOTTOM}" role="img"'
        f' aria-label="{escape(plot["title"])}">{"".join(_drawn(plot, rows, colours, width))}</svg>'
        for name, width in (("broad", 560), ("narrow", 300))
    )


def _drawn(
    plot: Record, rows: Sequence[Record], colours: Mapping[str, str], width: int
) -> Iterable[str]:
    ticks = _ticks(max([row[plot["y"]] for row in rows] + [plot["mark"] or 0]))
    names = [f"{tick:,}" for tick in ticks[:-1]] + [_number(ticks[-1], plot["unit"])]
    left = 16 + 7 * max(map(len, names))
    wide = width - left - RIGHT
    places = sorted({row[plot["x"]] for row in rows})
    by_step = len(places) <= BY_STEP
    longest = (len(places) - 1 if by_step else places[-1]) or 1

    def across(value: float) -> float:
        return round(left + wide * (places.index(value) if by_step else value) / longest, 1)

    def up(value: float) -> float:
        return round(TOP + TALL * (1 - value / ticks[-1]), 1)

    for tick, name in zip(ticks, names, strict=True):
        yield f'<line class="grid" x1="{left}" x2="{left + wide}" y1="{up(tick)}" y2="{up(tick)}"/>'
        yield f'<text x="{left - 8}" y="{up(tick) + 4}" text-anchor="end">{escape(name)}</text>'
    below = places if by_step else [tick for tick in _ticks(places[-1]) if tick <= places[-1]]
    for place in below:
        yield (
            f'<text x="{across(place)}" y="{TOP + TALL + 18}" text-anchor="middle">{place:,}</text>'
        )
    yield (
        f'<text x="{left + wide / 2}" y="{TOP + TALL + 38}" text-anchor="middle">'
        f"{escape(plot['x'] if by_step else plot['x'] + 's')}</text>"
    )
    if plot["mark"]:
        y = up(plot["mark"])
        yield f'<line class="mark" x1="{left}" x2="{left + wide}" y1="{y}" y2="{y}"/>'
    for name, colour in colours.items():
        points = [
            (across(row[plot["x"]]), up(row[plot["y"]]))
            for row in rows
            if str(row.get(plot["series"], "")) == name
        ]
        path = " ".join(f"{x},{y}" for x, y in points)
        yield f'<polyline class="line" points="{path}" style="stroke:{colour}"/>'
        if by_step:
            yield from (
                f'<circle cx="{x}" cy="{y}" r="4" style="fill:{colour}"/>' for x, y in points
            )


def _ticks(highest: float) -> list[int]:
    """0 and up in three to six even steps of 1, 2 or 5 times ten to some power, past `highest`."""
    step = 1
    while step * 5 < highest:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    count = max(1, -(-highest // step))
    return [step * number for number in range(int(count) + 1)]


def _number(value: float, unit: str) -> str:
    shown = f"{value:,.1f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"
    return f"{shown}{unit}" if unit.startswith("/") else f"{shown} {unit}".rstrip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
