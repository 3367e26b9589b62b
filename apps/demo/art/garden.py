"""Pots, plants and the small tools of the windowsill."""

from __future__ import annotations

import math

from apps.demo.art.canvas import Sheet, at, box, lathe, lit, oval, polygon, shaded

LEAF = "moss"


def leaf(
    sheet: Sheet, x: float, y: float, length: float, angle: float, colour: str, fat: float = 0.34
) -> None:
    """One leaf from its foot at (x, y); `angle` in degrees, 0 points up."""
    rad = math.radians(angle)
    ux, uy = math.sin(rad), -math.cos(rad)
    px, py = -uy, ux
    tip = (x + ux * length, y + uy * length)
    mid = (x + ux * length * 0.45, y + uy * length * 0.45)
    left = (mid[0] + px * length * fat, mid[1] + py * length * fat)
    right = (mid[0] - px * length * fat, mid[1] - py * length * fat)
    path = f"M{at(x, y)}Q{at(*left, *tip)}Q{at(*right, x, y)}Z"
    sheet.solid(path, colour, depth=max(4, length * fat * 0.34), edge=3, tone=0.2)
    sheet.line(
        f"M{at(x, y)}L{at(x + ux * length * 0.78, y + uy * length * 0.78)}",
        shaded(colour, 0.3),
        1.8,
        opacity=0.6,
    )


def _bush(sheet: Sheet, x: float, y: float, colour: str, size: float = 1.0) -> None:
    for angle, length, lift in (
        (-74, 92, 0),
        (76, 96, 0),
        (-48, 118, 6),
        (50, 122, 6),
        (-24, 138, 8),
        (26, 134, 8),
        (2, 150, 6),
        (-60, 70, 0),
        (60, 72, 0),
        (-12, 90, 0),
        (14, 86, 0),
    ):
        tint = colour if abs(angle) % 3 else shaded(colour, 0.14)
        leaf(sheet, x + angle * 0.2, y - lift, length * size, angle, tint)


def _fern(sheet: Sheet, x: float, y: float, colour: str) -> None:
    for angle in (-70, -44, -16, 12, 40, 68):
        rad = math.radians(angle)
        for step in range(1, 9):
            reach = step * 17
            bend = (step / 8) ** 2 * 22
            cx = x + math.sin(rad) * reach
            cy = y - math.cos(rad) * reach + bend
            for side in (-1, 1):
                leaf(
                    sheet,
                    cx,
                    cy,
                    34 - step * 2.2,
                    angle + side * 62,
                    colour if side > 0 else shaded(colour, 0.12),
                    0.26,
                )


def _succulent(sheet: Sheet, x: float, y: float, colour: str) -> None:
    for ring, (count, length) in enumerate(((7, 86), (6, 70), (5, 50), (3, 34))):
        for index in range(count):
            angle = -84 + index * 168 / (count - 1) if count > 1 else 0
            leaf(
                sheet, x + angle * 0.16, y - ring * 5, length, angle, lit(colour, 0.08 * ring), 0.42
            )


def _pilea(sheet: Sheet, x: float, y: float, colour: str) -> None:
    for dx, dy, radius in (
        (-92, -60, 30),
        (90, -70, 32),
        (-58, -122, 34),
        (62, -132, 33),
        (0, -168, 36),
        (-20, -88, 30),
        (36, -70, 28),
        (-120, -112, 24),
        (116, -128, 25),
    ):
        sheet.line(
            f"M{at(x, y)}Q{at(x + dx * 0.3, y + dy * 0.8, x + dx, y + dy)}", shaded(colour, 0.2), 4
        )
        sheet.solid(oval(x + dx, y + dy, radius, radius * 0.9), colour, depth=9, edge=4)
        sheet.fill(oval(x + dx - 3, y + dy - 4, 4, 3.4), lit(colour, 0.6))


PLANTS = {"bush": _bush, "fern": _fern, "succulent": _succulent, "pilea": _pilea}


def plant_pot(
    sheet: Sheet,
    *,
    colour: str,
    plant: str = "bush",
    leaves: str = "moss",
    size: float = 1.0,
    saucer: bool = True,
) -> None:
    r = 92 * size
    top = 472 - 132 * size
    sheet.shadow(300, 474, r * 1.05)
    PLANTS[plant](sheet, 300, top + 8, leaves)
    if saucer:
        sheet.solid(
            lathe(300, [(r * 1.02, 456), (r * 0.84, 474)], sag=0.08), shaded(colour, 0.1), depth=26
        )
    pot = sheet.solid(
        lathe(300, [(r * 0.92, top + 24), (r * 0.7, 464)], sag=0.12, pull=0.5),
        colour,
        depth=34,
        edge=9,
    )
    sheet.inside(pot, box(180, top + 30, 260, 14), shaded(colour, 0.5), 0.2)
    sheet.solid(lathe(300, [(r, top), (r, top + 30)], sag=0.08, pull=0.5), colour, depth=36, edge=9)


def watering_can(sheet: Sheet, *, colour: str, grip: str = "brass") -> None:
    sheet.shadow(310, 474, 118)
    sheet.tube("M236 420C160 400 150 300 96 262", colour, 17)
    sheet.solid(polygon((70, 266), (112, 234), (122, 256), (88, 286)), grip, depth=7, edge=3)
    sheet.tube("M300 318C300 214 440 214 452 300C460 350 440 400 408 424", grip, 13)
    can = sheet.solid(
        lathe(310, [(84, 318), (100, 400), (112, 456), (108, 472)], sag=0.1),
        colour,
        depth=38,
        edge=10,
    )
    sheet.inside(can, "M180 440h280v7h-280z", shaded(colour, 0.4), 0.4)
    sheet.fill(oval(310, 318, 84, 15), shaded(colour, 0.5))
    sheet.solid("M226 318A84 15 0 0 0 394 318L394 318A84 22 0 0 1 300 304Z", colour, depth=10)


def herb_box(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 474, 190, reach=0.4)
    for x, tint, lengths in (
        (166, "moss", (110, 90, 100)),
        (300, "sage", (130, 116, 124)),
        (434, "pine", (100, 120, 92)),
    ):
        for index, angle in enumerate((-34, 0, 34, -16, 18)):
            leaf(
                sheet,
                x + angle * 0.7,
                384,
                lengths[index % 3],
                angle,
                tint if index % 2 else shaded(tint, 0.12),
                0.24,
            )
    case = sheet.solid("M96 372H504L490 474H110Z", colour, depth=34, edge=10)
    sheet.inside(case, "M96 408h420v3h-420zM96 440h420v3h-420z", shaded(colour, 0.45), 0.5)
    for x, words in ((170, "thyme"), (300, "sage"), (430, "mint")):
        sheet.fill(box(x - 34, 390, 68, 24, 3), "paper")
        sheet.text(words, x, 407, 15, "ink")


def mister(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 474, 84)
    glass = sheet.solid(
        lathe(300, [(30, 290), (40, 316), (86, 374), (90, 440), (72, 472)], sag=0.12),
        colour,
        depth=30,
        edge=11,
        glow=0.55,
    )
    sheet.inside(glass, "M180 400q60 -12 120 0t120 0v100h-240z", lit(colour, 0.3), 0.5)
    sheet.inside(glass, "M234 376q-16 40 -6 80l12 0q-8 -40 8 -78z", "#ffffff", 0.5)
    sheet.solid(box(276, 256, 48, 40, 6), "brass", depth=14, edge=5)
    sheet.solid(
        "M232 212H352Q366 212 366 228V240Q366 256 350 256H276L268 236H232Z",
        "brass",
        depth=14,
        edge=6,
    )
    sheet.tube("M284 258Q268 282 250 286", "brass", 8)
    if sheet.painted:
        for x, y in (
            (206, 216),
            (186, 200),
            (184, 232),
            (164, 214),
            (158, 188),
            (154, 240),
            (136, 222),
        ):
            sheet.fill(oval(x, y, 4, 4), "#ffffff", 0.75)


def seed_packets(sheet: Sheet, *, colour: str, second: str, words: str, other: str) -> None:
    sheet.shadow(300, 474, 150, reach=0.5)
    for x, y, paint, name, lean in ((330, 214, second, other, 7), (152, 236, colour, words, -5)):
        mid_x, mid_y = x + 70, y + 120
        sheet.raw(f'<g transform="rotate({lean} {mid_x} {mid_y})">')
        sheet.solid(box(x, y, 148, 232, 4), paint, depth=14, edge=7)
        sheet.fill(
            polygon((x, y + 16), (x + 148, y + 16), (x + 148, y + 20), (x, y + 20)),
            shaded(paint, 0.3),
            0.6,
        )
        sheet.fill(box(x + 16, y + 40, 116, 128, 58), "paper")
        for angle in (-38, 0, 38):
            leaf(sheet, x + 74, y + 152, 84 if angle == 0 else 62, angle, "moss", 0.3)
        sheet.text(name, x + 74, y + 202, 22, "paper" if paint != "butter" else "ink")
        sheet.raw("</g>")


def snips(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 470, 140, reach=0.4)
    sheet.solid("M296 330L214 172Q208 160 220 168L318 322Z", "steel", depth=7, edge=5)
    sheet.solid("M304 330L386 172Q392 160 380 168L282 322Z", "steel", depth=7, edge=5)
    sheet.tube("M292 336C226 356 190 430 232 456C276 474 292 402 296 350", colour, 17)
    sheet.tube("M308 336C374 356 410 430 368 456C324 474 308 402 304 350", colour, 17)
    sheet.solid(oval(300, 330, 13, 13), "brass", depth=6, edge=3)


def hanging_planter(sheet: Sheet, *, colour: str, leaves: str = "sage") -> None:
    for x in (214, 386):
        sheet.line(f"M300 40L{x} 300", "oat", 6)
    sheet.solid(oval(300, 42, 13, 13), "brass", depth=5, edge=2)
    _bush(sheet, 300, 300, leaves, 0.8)
    sheet.solid(
        lathe(300, [(92, 296), (98, 340), (70, 396), (34, 412)], sag=0.16),
        colour,
        depth=34,
        edge=10,
    )
    for x, drop in ((222, 130), (260, 84), (352, 104), (382, 156)):
        for step in range(int(drop / 22)):
            side = -1 if step % 2 else 1
            leaf(sheet, x + side * 2, 302 + step * 24, 30, 180 + side * 52, leaves, 0.4)


def dibber_set(sheet: Sheet, *, colour: str) -> None:
    """Trowel and fork."""
    sheet.shadow(300, 472, 150, reach=0.4)
    for x, lean in ((230, -8), (372, 9)):
        sheet.raw(f'<g transform="rotate({lean} {x} 320)">')
        sheet.tube(f"M{x} 176V268", colour, 26)
        sheet.tube(f"M{x} 270V320", "brass", 12)
        if x < 300:
            sheet.solid(
                f"M{x - 40} 330Q{x} 312 {x + 40} 330C{x + 46} 400 {x + 22} 450 {x} 472"
                f"C{x - 22} 450 {x - 46} 400 {x - 40} 330Z",
                "steel",
                depth=16,
                edge=8,
            )
        else:
            sheet.tube(
                f"M{x - 34} 456V350Q{x - 34} 326 {x} 326T{x + 34} 350V456M{x} 326V462", "steel", 14
            )
        sheet.raw("</g>")
