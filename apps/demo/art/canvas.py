"""The sheet on which everything is drawn: shapes, colours and shading.

A sheet is a 600 × 600 square. Light falls from the upper left, so every solid has a light edge on
its left and a shaded right side. `Sheet.solid` makes all three tones from one outline and one
colour; no other code does shading.

Two styles share the drawings: `painted` (the catalog picture) and `line` (the measured drawing, in
which areas are white and only outlines are drawn).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Style = Literal["painted", "line"]
Point = tuple[float, float]

PAINTS: dict[str, str] = {
    "pine": "#2f5a4c",
    "moss": "#6a8354",
    "sage": "#9db393",
    "fog": "#c6d3d4",
    "dusk": "#6f84a8",
    "ink": "#2a3638",
    "slate": "#5b6c74",
    "steel": "#b4c1c5",
    "milk": "#f7f1e4",
    "oat": "#e3d3b6",
    "butter": "#f0c968",
    "marmalade": "#e2913a",
    "clay": "#c76a4b",
    "blush": "#e6b09b",
    "tomato": "#c94b36",
    "plum": "#744a60",
    "copper": "#c9794a",
    "brass": "#cda24a",
    "wood": "#c4935f",
    "walnut": "#7d5538",
    "glass": "#dcebe8",
    "paper": "#fbf8f0",
}

SHADE = (28, 44, 64)
SUN = (255, 244, 214)


def _channels(colour: str) -> tuple[int, int, int]:
    raw = PAINTS.get(colour, colour).lstrip("#")
    return int(raw[0:2], 16), int(raw[2:4], 16), int(raw[4:6], 16)


def mix(colour: str, other: tuple[int, int, int], share: float) -> str:
    """`colour` with `share` (0 to 1) of `other` mixed in."""
    parts = (round(a + (b - a) * share) for a, b in zip(_channels(colour), other, strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def shaded(colour: str, share: float = 0.24) -> str:
    return mix(colour, SHADE, share)


def lit(colour: str, share: float = 0.38) -> str:
    return mix(colour, SUN, share)


def number(value: float) -> str:
    """A coordinate with as few digits as possible, because the files are committed."""
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def at(*values: float) -> str:
    return " ".join(number(value) for value in values)


def smooth(points: list[Point], *, closed: bool = False, pull: float = 0.5) -> str:
    """A Catmull-Rom curve through `points`, as Bézier path commands."""
    count = len(points)
    path = [f"M{at(*points[0])}"]
    for index in range(count if closed else count - 1):
        before = points[(index - 1) % count] if closed or index else points[0]
        here, there = points[index], points[(index + 1) % count]
        after = points[(index + 2) % count] if closed or index + 2 < count else there
        path.append(
            "C"
            + at(
                here[0] + (there[0] - before[0]) * pull / 3,
                here[1] + (there[1] - before[1]) * pull / 3,
                there[0] - (after[0] - here[0]) * pull / 3,
                there[1] - (after[1] - here[1]) * pull / 3,
                there[0],
                there[1],
            )
        )
    return "".join(path) + ("Z" if closed else "")


def lathe(cx: float, profile: list[Point], *, sag: float = 0.16, pull: float = 0.8) -> str:
    """The outline of a round vessel.

    `profile` runs from top to bottom as (radius, y). The top is closed flat (a rim is drawn over
    it); the bottom bulges by `sag` times its radius, as a circle seen slightly from above does.
    """
    right = smooth([(cx + radius, y) for radius, y in profile], pull=pull)
    left = smooth([(cx - radius, y) for radius, y in reversed(profile)], pull=pull)
    foot, bottom = profile[-1]
    arc = f"A{at(foot, foot * sag)} 0 0 1 {at(cx - foot, bottom)}"
    return right + arc + left[left.index("C") :] + "Z"


def oval(cx: float, cy: float, rx: float, ry: float) -> str:
    return (
        f"M{at(cx - rx, cy)}A{at(rx, ry)} 0 0 1 {at(cx + rx, cy)}"
        f"A{at(rx, ry)} 0 0 1 {at(cx - rx, cy)}Z"
    )


def box(x: float, y: float, width: float, height: float, radius: float = 0) -> str:
    r = min(radius, width / 2, height / 2)
    if not r:
        return f"M{at(x, y)}h{number(width)}v{number(height)}h{number(-width)}Z"
    w, h = number(width - 2 * r), number(height - 2 * r)
    c = f"a{at(r, r)} 0 0 1 "
    return (
        f"M{at(x + r, y)}h{w}{c}{at(r, r)}v{h}{c}{at(-r, r)}"
        f"h-{w}{c}{at(-r, -r)}v-{h}{c}{at(r, -r)}Z"
    )


def polygon(*points: Point) -> str:
    return "M" + "L".join(at(*point) for point in points) + "Z"


_TOKEN = re.compile(r"[MLHVCSQTAZmlhvcsqtaz]|-?\d*\.?\d+")
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


def outline_points(path: str) -> Iterator[Point]:
    """Points on the outline of `path`, close enough to measure its size."""
    tokens = _TOKEN.findall(path)
    x = y = 0.0
    command, index = "M", 0
    while index < len(tokens):
        if tokens[index].isalpha():
            command, index = tokens[index], index + 1
        count = _TAKES[command.upper()]
        values = [float(token) for token in tokens[index : index + count]]
        index += count
        kind, relative = command.upper(), command.islower()
        if kind == "Z":
            continue
        if kind == "H":
            end = (values[0] + (x if relative else 0), y)
        elif kind == "V":
            end = (x, values[0] + (y if relative else 0))
        else:
            end = (values[-2] + (x if relative else 0), values[-1] + (y if relative else 0))
        if kind in "CSQ":
            dx, dy = (x, y) if relative else (0.0, 0.0)
            handles = [(a + dx, b + dy) for a, b in zip(values[::2], values[1::2], strict=True)]
            for t in (0.25, 0.5, 0.75):
                yield _on_curve([(x, y), *handles], t)
        elif kind == "A" and abs(end[0] - x) > values[0]:
            # A half oval: it bulges by its radius, downwards when it runs from right to left.
            side = 1 if end[0] < x else -1
            yield ((x + end[0]) / 2, (y + end[1]) / 2 + side * values[1])
        x, y = end
        yield end


def _on_curve(points: list[Point], t: float) -> Point:
    """De Casteljau."""
    while len(points) > 1:
        points = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(points)]
    return points[0]


@dataclass
class Sheet:
    """The drawing so far. Later calls paint over earlier ones."""

    style: Style = "painted"
    parts: list[str] = field(default_factory=list)
    outline: list[Point] = field(default_factory=list)  # of every solid and tube, unmoved
    _clips: int = 0

    @property
    def painted(self) -> bool:
        return self.style == "painted"

    def raw(self, markup: str) -> None:
        self.parts.append(markup)

    def clip(self, path: str, inside: str | None = None, shift: Point = (0, 0)) -> str:
        """Define a clip from `path`; returns its id."""
        self._clips += 1
        name = f"c{self._clips}"
        nested = f' clip-path="url(#{inside})"' if inside else ""
        move = f' transform="translate({at(*shift)})"' if any(shift) else ""
        self.raw(f'<clipPath id="{name}"{nested}><path d="{path}"{move}/></clipPath>')
        return name

    def fill(self, path: str, colour: str, opacity: float = 1) -> None:
        """A flat area without shading; in line style only its outline."""
        if not self.painted:
            self.raw(f'<path d="{path}" fill="none" stroke="#2a3638" stroke-width="1.6"/>')
            return
        fade = f' opacity="{opacity:g}"' if opacity < 1 else ""
        self.raw(f'<path d="{path}" fill="{PAINTS.get(colour, colour)}"{fade}/>')

    def solid(
        self,
        path: str,
        colour: str,
        *,
        depth: float = 20,
        edge: float = 7,
        tone: float = 0.24,
        glow: float = 0.38,
    ) -> str:
        """A thing with a lit left edge (`edge` wide) and a shaded right side (`depth` wide).

        Answers the id of its clip, so that a pattern can be drawn inside it.
        """
        self.outline.extend(outline_points(path))
        if not self.painted:
            self.raw(
                f'<path d="{path}" fill="#fbf8f0" stroke="#2a3638" stroke-width="2.6"'
                ' stroke-linejoin="round"/>'
            )
            return self.clip(path)
        whole = self.clip(path)
        sunny = self.clip(path, inside=whole, shift=(-depth, -depth * 0.18))
        base = PAINTS.get(colour, colour)
        self.raw(f'<path d="{path}" fill="{shaded(base, tone)}"/>')
        self.raw(
            f'<g clip-path="url(#{sunny})"><path d="{path}" fill="{lit(base, glow)}"/>'
            f'<path d="{path}" fill="{base}" transform="translate({at(edge, edge * 0.45)})"/></g>'
        )
        return whole

    def inside(self, clip: str, path: str, colour: str, opacity: float = 1) -> None:
        """Paint inside a solid: glaze lines, stripes, labels."""
        if not self.painted:
            self.raw(
                f'<g clip-path="url(#{clip})"><path d="{path}" fill="none" stroke="#2a3638"'
                ' stroke-width="1.2" opacity=".55"/></g>'
            )
            return
        fade = f' opacity="{opacity:g}"' if opacity < 1 else ""
        self.raw(
            f'<g clip-path="url(#{clip})">'
            f'<path d="{path}" fill="{PAINTS.get(colour, colour)}"{fade}/></g>'
        )

    def line(
        self,
        path: str,
        colour: str,
        width: float,
        *,
        opacity: float = 1,
        clip: str | None = None,
        dash: str | None = None,
    ) -> None:
        """A stroke without shading: seams, stems, lettering."""
        tint = PAINTS.get(colour, colour) if self.painted else "#2a3638"
        weight = width if self.painted else min(width, 1.8)
        extra = f' opacity="{opacity:g}"' if opacity < 1 and self.painted else ""
        extra += f' stroke-dasharray="{dash}"' if dash else ""
        markup = (
            f'<path d="{path}" fill="none" stroke="{tint}" stroke-width="{number(weight)}"'
            f' stroke-linecap="round" stroke-linejoin="round"{extra}/>'
        )
        self.raw(f'<g clip-path="url(#{clip})">{markup}</g>' if clip else markup)

    def tube(self, path: str, colour: str, width: float) -> None:
        """A round rod along `path`: handles, spouts, wires."""
        base = PAINTS.get(colour, colour)
        self.outline.extend(outline_points(path))

        def stroke(tint: str, weight: float, shift: float = 0) -> str:
            move = f' transform="translate({at(-shift, -shift)})"' if shift else ""
            return (
                f'<path d="{path}" fill="none" stroke="{tint}" stroke-width="{number(weight)}"'
                f' stroke-linecap="round" stroke-linejoin="round"{move}/>'
            )

        if not self.painted:
            self.raw(stroke("#2a3638", width + 2.6) + stroke("#fbf8f0", width - 2.6))
            return
        self.raw(
            stroke(shaded(base), width)
            + stroke(base, width * 0.66, width * 0.1)
            + stroke(lit(base, 0.45), width * 0.16, width * 0.24)
        )

    def text(
        self, words: str, x: float, y: float, size: float, colour: str, *, spacing: float = 0
    ) -> None:
        """Text on a label, in the system's serif font: an SVG in <img> cannot load a font."""
        tint = PAINTS.get(colour, colour) if self.painted else "#2a3638"
        gap = f' letter-spacing="{number(spacing)}"' if spacing else ""
        safe = words.replace("&", "&amp;").replace("<", "&lt;")
        self.raw(
            f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{tint}"'
            f' font-family="Georgia, \'DejaVu Serif\', serif" text-anchor="middle"{gap}>'
            f"{safe}</text>"
        )

    def shadow(self, cx: float, y: float, rx: float, *, reach: float = 1.0) -> None:
        """The shadow on the table: a dark contact line and a long soft shadow to the right."""
        if not self.painted:
            self.raw(
                f'<path d="M{at(cx - rx * 1.5, y)}H{number(cx + rx * 1.5)}" stroke="#2a3638"'
                ' stroke-width="1.2" stroke-dasharray="2 5"/>'
            )
            return
        long = rx * (1.25 + 0.55 * reach)
        self.raw(
            f'<ellipse cx="{number(cx + rx * 0.55 * reach)}" cy="{number(y + 5)}"'
            f' rx="{number(long)}" ry="{number(max(9, rx * 0.2))}" fill="#1c2c40" opacity=".13"/>'
            f'<ellipse cx="{number(cx + 8)}" cy="{number(y + 2)}" rx="{number(rx * 1.06)}"'
            f' ry="{number(max(6, rx * 0.15))}" fill="#1c2c40" opacity=".26"/>'
        )
