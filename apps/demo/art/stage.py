"""The background of the pictures: wall, table and light from a window.

Each category has its own colours, so that its pictures look alike side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.demo.art.canvas import Sheet, at, polygon

TABLE = 432


@dataclass(frozen=True)
class Palette:
    """The colours of a background."""

    wall: str
    table: str
    light: str


PALETTES: dict[str, Palette] = {
    "lamps-candles": Palette("#566b90", "#43557a", "#9fb2d2"),
    "kettles-pots": Palette("#bccbcf", "#98aeb3", "#eef2e8"),
    "coffee-tea": Palette("#dccaab", "#bea37d", "#f8ebca"),
    "cups-mugs": Palette("#e9c5ae", "#d6a58a", "#fbe7cd"),
    "textiles": Palette("#d0d7c0", "#adb899", "#f5f3d6"),
    "breakfast-table": Palette("#f1d894", "#ddb967", "#fdf1c8"),
    "paper-desk": Palette("#d5dbe1", "#b3becb", "#f8f5e6"),
    "windowsill-garden": Palette("#bfd2b8", "#93b08f", "#f1f5d3"),
}


def sunlight(sheet: Sheet, palette: Palette, x: float, y: float, size: float) -> None:
    """The light of a window on the wall: four slanted panes."""
    lean, gap = size * 0.34, size * 0.07
    for row in range(2):
        for column in range(2):
            left = x + column * (size + gap) + row * (lean + gap * 0.34)
            top = y + row * (size * 1.05 + gap) + column * size * 0.16
            sheet.fill(
                polygon(
                    (left, top),
                    (left + size, top + size * 0.16),
                    (left + size + lean, top + size * 1.21),
                    (left + lean, top + size * 1.05),
                ),
                palette.light,
                0.5,
            )


def room(sheet: Sheet, palette: Palette, *, table: float = TABLE, window: bool = True) -> None:
    if not sheet.painted:
        sheet.raw('<rect width="600" height="600" fill="#fbf8f0"/>')
        for step in range(1, 20):
            sheet.raw(
                f'<path d="M{at(step * 30, 0)}V600M{at(0, step * 30)}H600" stroke="#2f5a4c"'
                f' stroke-width="{1 if step % 5 == 0 else 0.5}" opacity=".13"/>'
            )
        return
    sheet.raw(f'<rect width="600" height="600" fill="{palette.wall}"/>')
    if window:
        sunlight(sheet, palette, 60, 50, 128)
    sheet.raw(
        f'<rect y="{at(table)}" width="600" height="{at(600 - table)}" fill="{palette.table}"/>'
    )
    sheet.raw(
        f'<path d="M0 {at(table)}h600v7h-600z" fill="{palette.light}" opacity=".28"/>'
        f'<path d="M40 {at(table + 40)}L250 {at(table + 40)} 420 600H130Z" fill="{palette.light}"'
        ' opacity=".22"/>'
    )
