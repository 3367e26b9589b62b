"""The pictures of a product, made from its drawing.

`portrait` shows the item alone in the colours of its category; `scene` shows it with two others;
`measured` is its outline on graph paper with the dimensions from the product page. Each returns a
whole SVG document; the same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.demo.art import garden, household, kitchen, tableware
from apps.demo.art.canvas import Sheet, at, number
from apps.demo.art.stage import PALETTES, room, sunlight

Drawing = Callable[..., None]
TYPE = "Georgia, 'DejaVu Serif', serif"

DRAWINGS: dict[str, Drawing] = {
    name: getattr(module, name)
    for module, names in (
        (
            kitchen,
            "gooseneck_kettle whistling_kettle teapot iron_teapot moka_pot milk_pan porridge_pot"
            " french_press dripper hand_grinder coffee_bag tea_tin honey_jar scoop",
        ),
        (
            tableware,
            "mug espresso_pair cup_and_saucer tumblers bowl plates jug egg_cups toast_rack"
            " butter_dish bread_board salt_cellar napkin_rings tray",
        ),
        (
            household,
            "folded_stack draped_blanket hanging_towels apron cushion slippers tea_cosy robe_hook"
            " mushroom_lamp reading_lamp lantern jar_candle tapers chamberstick matchbox notebook"
            " pencils letter_set desk_calendar pen_tray ruler tape_rolls week_pad",
        ),
        (
            garden,
            "plant_pot watering_can herb_box mister seed_packets snips hanging_planter dibber_set",
        ),
    )
    for name in names.split()
}

# Items that hang from above: they are not moved down to the table's front edge.
HANGING = frozenset({"hanging_towels", "apron", "robe_hook", "hanging_planter"})
# Wide items, drawn smaller so that they fit on the sheet.
WIDE = frozenset(
    {
        "ruler",
        "bread_board",
        "tray",
        "herb_box",
        "plates",
        "draped_blanket",
        "pen_tray",
        "slippers",
        "letter_set",
        "napkin_rings",
        "hanging_planter",
        "lantern",
        "mushroom_lamp",
        "tapers",
    }
)
# Too wide or too tall for the background of another item's picture.
SPRAWLING = frozenset(
    {
        "ruler",
        "bread_board",
        "tray",
        "draped_blanket",
        "slippers",
        "napkin_rings",
        "pen_tray",
        "scoop",
        "reading_lamp",
        "matchbox",
        "tape_rolls",
    }
)


@dataclass(frozen=True)
class Pose:
    """A drawing and its parameters."""

    drawing: str
    params: dict[str, Any] = field(default_factory=dict)


def document(sheet: Sheet, title: str, *, view: str = "0 0 600 600") -> str:
    safe = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" role="img">'
        f"<title>{safe}</title>{''.join(sheet.parts)}</svg>\n"
    )


def place(
    sheet: Sheet, pose: Pose, *, x: float = 300, base: float = 472, zoom: float = 1.0
) -> None:
    """Draw `pose` so that its foot (300, 472) stands at (x, base), `zoom` times its size."""
    move = f"translate({number(x - 300 * zoom)} {number(base - 472 * zoom)}) scale({zoom:g})"
    sheet.raw(f'<g transform="{move}">')
    DRAWINGS[pose.drawing](sheet, **pose.params)
    sheet.raw("</g>")


def _stance(pose: Pose) -> tuple[float, float]:
    if pose.drawing in HANGING:
        return 1.0, 472
    return (1.06, 496) if pose.drawing in WIDE else (1.26, 506)


def portrait(pose: Pose, *, category: str, title: str) -> str:
    sheet = Sheet()
    room(sheet, PALETTES[category])
    zoom, base = _stance(pose)
    place(sheet, pose, base=base, zoom=zoom)
    return document(sheet, title)


def scene(pose: Pose, neighbours: Sequence[Pose], *, category: str, title: str) -> str:
    """The item in front, and two others behind it on the same table."""
    sheet = Sheet()
    room(sheet, PALETTES[category], table=376)
    for neighbour, (x, zoom) in zip(neighbours, ((128, 0.62), (488, 0.56)), strict=False):
        place(sheet, neighbour, x=x, base=404, zoom=zoom)
    zoom, _ = _stance(pose)
    place(sheet, pose, x=318, base=536, zoom=min(zoom, 0.96))
    return document(sheet, title)


def category_picture(first: Pose, others: Sequence[Pose], *, category: str, title: str) -> str:
    """A category's picture: a wide table with its items in a row."""
    sheet = Sheet()
    palette = PALETTES[category]
    sheet.raw(f'<rect x="-180" width="960" height="600" fill="{palette.wall}"/>')
    sunlight(sheet, palette, -60, 40, 140)
    sheet.raw(
        f'<rect x="-180" y="432" width="960" height="168" fill="{palette.table}"/>'
        f'<path d="M-180 432h960v8h-960z" fill="{palette.light}" opacity=".28"/>'
    )
    standing = [pose for pose in others if pose.drawing not in HANGING | SPRAWLING]
    for pose, x, zoom in zip(standing, (20, 560, 180), (0.78, 0.8, 0.56), strict=False):
        place(sheet, pose, x=x, base=476 if zoom > 0.6 else 452, zoom=zoom)
    place(sheet, first, x=300, base=524, zoom=1.0)
    return document(sheet, title, view="-180 0 960 600")


def measured(pose: Pose, *, wide: str, high: str, title: str, figure: int) -> str:
    """The outline between two dimension lines."""
    trial = Sheet(style="line")
    DRAWINGS[pose.drawing](trial, **pose.params)
    left, right = min(x for x, _ in trial.outline), max(x for x, _ in trial.outline)
    top, bottom = min(y for _, y in trial.outline), max(y for _, y in trial.outline)
    zoom = round(min(420 / (right - left), 390 / (bottom - top), 1.5), 3)

    sheet = Sheet(style="line")
    room(sheet, PALETTES["paper-desk"])
    dx, dy = 322 - (left + right) / 2 * zoom, 486 - bottom * zoom
    sheet.raw(f'<g transform="translate({at(dx, dy)}) scale({zoom:g})">')
    DRAWINGS[pose.drawing](sheet, **pose.params)
    sheet.raw("</g>")
    x1, x2, y1, y2 = left * zoom + dx, right * zoom + dx, top * zoom + dy, bottom * zoom + dy
    v = x1 - 34
    ticks = (
        f"M{at(x1, 534)}H{at(x2)}M{at(x1, 526)}v16M{at(x2, 526)}v16"
        f"M{at(v, y1)}V{at(y2)}M{at(v - 8, y1)}h16M{at(v - 8, y2)}h16"
    )
    sheet.raw(f'<path d="{ticks}" fill="none" stroke="#b4472f" stroke-width="1.8"/>')
    middle = (y1 + y2) / 2
    for words, x, y, turn in (
        (wide, (x1 + x2) / 2, 566, ""),
        (high, v - 14, middle, f' transform="rotate(-90 {at(v - 14, middle)})"'),
    ):
        sheet.raw(
            f'<text x="{at(x)}" y="{at(y)}"{turn} font-family="{TYPE}" font-size="23"'
            f' fill="#b4472f" text-anchor="middle">{words}</text>'
        )
    sheet.raw(
        f'<text x="564" y="48" font-family="{TYPE}" font-size="18" font-style="italic"'
        f' fill="#2f5a4c" text-anchor="end">Fig. {figure}</text>'
    )
    return document(sheet, title)


def placeholder() -> str:
    """For a product without a picture: a closed parcel on the table."""
    sheet = Sheet()
    room(sheet, PALETTES["paper-desk"])
    sheet.shadow(300, 486, 150)
    from_above = "M150 306H450V486H150Z"
    clip = sheet.solid(from_above, "#cfae80", depth=34, edge=10)
    sheet.inside(clip, "M150 306h300v12h-300z", "#8d6f45", 0.25)
    sheet.line("M300 306V486M150 396H450", "pine", 7)
    sheet.line(
        "M300 306C262 262 214 268 236 296C250 308 282 308 300 306"
        "C338 262 386 268 364 296C350 308 318 308 300 306",
        "pine",
        7,
    )
    sheet.fill("M334 420h88v44h-88z", "paper")
    sheet.line("M346 436h62M346 449h40", "slate", 3, opacity=0.6)
    return document(sheet, "Picture to follow")
