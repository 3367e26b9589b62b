"""Cups, bowls and what stands on the breakfast table."""

from __future__ import annotations

from apps.demo.art.canvas import Sheet, box, lathe, lit, oval, polygon, shaded
from apps.demo.art.kitchen import steam

COFFEE = "#5b3a28"


def mug(
    sheet: Sheet,
    *,
    colour: str,
    x: float = 280,
    base: float = 472,
    radius: float = 92,
    height: float = 176,
    dip: str | None = None,
    drink: str = COFFEE,
    speckled: bool = False,
    two_handles: bool = False,
    rim: str | None = None,
    hot: bool = True,
) -> None:
    top = base - height
    sheet.shadow(x, base + 2, radius)
    handle = max(13, radius * 0.2)
    loop = radius * 0.72
    middle = top + height * 0.46
    for side in (1, -1) if two_handles else (1,):
        edge = x + side * (radius - 6)
        sheet.tube(
            f"M{edge} {middle - height * 0.26}C{edge + side * loop} {middle - height * 0.3}"
            f" {edge + side * loop} {middle + height * 0.34} {edge - side * 4}"
            f" {middle + height * 0.26}",
            colour,
            handle,
        )
    body = sheet.solid(
        lathe(
            x,
            [
                (radius, top),
                (radius, top + height * 0.5),
                (radius * 0.96, base - height * 0.13),
                (radius * 0.84, base),
            ],
            sag=0.13,
        ),
        colour,
        depth=radius * 0.38,
        edge=radius * 0.1,
    )
    if dip:
        wave = top + height * 0.58
        sheet.inside(
            body,
            f"M{x - 200} {wave}q60 20 110 4t110 2t200 0v240h-420z",
            dip,
        )
        sheet.inside(
            body, f"M{x + radius * 0.55} {top}h80v300h-90q26 -150 10 -300z", shaded(dip, 0.5), 0.16
        )
    if speckled:
        dots = "".join(
            oval(
                x - radius + (index * 53) % int(radius * 2),
                top + 18 + (index * 37) % int(height - 24),
                1.6 + index % 3 * 0.7,
                1.6 + index % 2 * 0.7,
            )
            for index in range(46)
        )
        sheet.inside(body, dots, shaded(colour, 0.6), 0.55)
    sheet.fill(oval(x, top, radius, radius * 0.17), rim or lit(colour, 0.3))
    sheet.fill(oval(x, top + 2, radius * 0.9, radius * 0.125), shaded(colour, 0.42))
    sheet.fill(oval(x, top + radius * 0.045, radius * 0.83, radius * 0.085), drink)
    if hot:
        steam(sheet, x - 14, top - 16, height * 0.5)


def espresso_pair(sheet: Sheet, *, colour: str, second: str) -> None:
    for x, paint in ((196, colour), (392, second)):
        sheet.shadow(x, 470, 84, reach=0.6)
        sheet.solid(lathe(x, [(86, 448), (70, 464), (44, 470)], sag=0.1), paint, depth=20)
        sheet.fill(oval(x, 448, 87, 14), lit(paint, 0.28))
        mug(sheet, colour=paint, x=x - 6, base=452, radius=52, height=88, hot=paint == colour)


def cup_and_saucer(sheet: Sheet, *, colour: str, inner: str = "milk") -> None:
    sheet.shadow(290, 472, 150)
    sheet.solid(lathe(290, [(156, 444), (120, 464), (70, 474)], sag=0.08), colour, depth=36)
    sheet.fill(oval(290, 444, 157, 22), lit(colour, 0.3))
    sheet.fill(oval(290, 447, 120, 14), shaded(colour, 0.16), 0.7)
    sheet.tube("M386 356C452 344 446 424 372 412", colour, 16)
    sheet.solid(
        lathe(290, [(112, 330), (108, 372), (84, 426), (52, 446)], sag=0.14),
        colour,
        depth=36,
        edge=10,
    )
    sheet.fill(oval(290, 330, 112, 20), inner)
    sheet.fill(oval(290, 333, 102, 15), shaded(inner, 0.2))
    sheet.fill(oval(291, 337, 92, 10), "#a5642f")
    steam(sheet, 276, 312, 92)


def tumblers(sheet: Sheet, *, colour: str) -> None:
    for x, base, full in ((372, 462, False), (232, 474, True)):
        sheet.shadow(x, base, 70)
        glass = sheet.solid(
            lathe(x, [(74, base - 190), (68, base - 100), (58, base)], sag=0.16),
            colour,
            depth=20,
            edge=8,
            tone=0.14,
            glow=0.6,
        )
        if full:
            sheet.inside(glass, f"M{x - 90} {base - 120}h180v150h-180z", "#fff4e4", 0.55)
            sheet.inside(glass, oval(x, base - 120, 69, 11), "#fffaf0", 0.8)
        for step in (-36, -12, 12, 36):
            sheet.line(
                f"M{x + step * 1.2} {base - 180}L{x + step} {base + 4}",
                "#ffffff",
                3,
                clip=glass,
                opacity=0.4,
            )
        sheet.line(oval(x, base - 190, 73, 12), lit(colour, 0.7), 4)


def bowl(sheet: Sheet, *, colour: str, inner: str = "milk", food: str | None = "oat") -> None:
    sheet.shadow(300, 474, 120)
    body = sheet.solid(
        lathe(300, [(150, 356), (138, 400), (98, 450), (60, 474)], sag=0.14),
        colour,
        depth=48,
        edge=12,
    )
    sheet.inside(body, "M100 380q200 60 400 0v10q-200 60 -400 0z", inner, 0.85)
    sheet.fill(oval(300, 356, 150, 31), inner)
    sheet.fill(oval(300, 361, 138, 25), shaded(inner, 0.2))
    if food:
        sheet.fill(oval(300, 367, 124, 18), food)
        for x, y, paint in (
            (262, 362, "plum"),
            (284, 370, "plum"),
            (318, 362, "tomato"),
            (340, 369, "plum"),
            (300, 359, "tomato"),
            (236, 368, "plum"),
        ):
            sheet.fill(oval(x, y, 11, 8), paint)
            sheet.fill(oval(x - 3, y - 3, 3, 2), "#ffffff", 0.5)


def plates(sheet: Sheet, *, colour: str, second: str) -> None:
    sheet.shadow(300, 474, 160)
    for index in range(4):
        paint = colour if index % 2 else second
        y = 444 - index * 26
        sheet.solid(lathe(300, [(172, y), (150, y + 14), (84, y + 26)], sag=0.07), paint, depth=44)
        sheet.fill(oval(300, y, 173, 24), lit(paint, 0.25))
    sheet.fill(oval(300, 369, 124, 15), shaded(colour, 0.13))
    sheet.line(oval(300, 366, 160, 20), second, 3)


def jug(sheet: Sheet, *, colour: str, dip: str | None = None) -> None:
    sheet.shadow(290, 474, 92)
    sheet.tube("M368 300C446 296 440 420 372 412", colour, 17)
    body = sheet.solid(
        "M206 258L190 240Q212 236 230 246L366 246C366 300 360 310 372 350C396 400 380 474 340 474"
        "Q290 486 244 474C200 474 186 400 206 350C218 316 212 290 206 258Z",
        colour,
        depth=36,
        edge=10,
    )
    if dip:
        sheet.inside(body, "M150 410q60 -18 130 0t160 -4v120h-300z", dip)
    sheet.fill("M194 242Q290 222 366 246Q290 268 230 252Z", shaded(colour, 0.36))
    sheet.fill("M228 250Q290 240 352 248Q290 262 236 254Z", "#fffaf0")


def egg_cups(sheet: Sheet, *, colour: str, second: str) -> None:
    for x, paint, egg in ((208, colour, "#f2d7bd"), (384, second, "milk")):
        sheet.shadow(x, 472, 60, reach=0.7)
        sheet.solid(oval(x, 338, 52, 66), egg, depth=20, edge=8)
        sheet.solid(
            lathe(x, [(64, 352), (58, 392), (26, 424), (24, 436), (56, 470)], sag=0.15),
            paint,
            depth=24,
            edge=8,
        )


def toast_rack(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 472, 150)
    for index in range(4):
        x = 196 + index * 52
        slice_ = sheet.solid(
            f"M{x} 462V330C{x - 26} 300 {x + 6} 272 {x + 44} 280"
            f"C{x + 88} 274 {x + 112} 306 {x + 86} 332V462Z",
            "#c98a4b",
            depth=12,
            edge=8,
        )
        if index == 0:
            sheet.inside(
                slice_,
                f"M{x + 10} 456V336C{x - 6} 310 {x + 14} 288 {x + 44} 292"
                f"C{x + 78} 288 {x + 92} 310 {x + 76} 336V456Z",
                "#f0d3a0",
            )
        sheet.tube(f"M{x - 8} 466V356Q{x - 8} 326 {x + 20} 326", colour, 9)
    sheet.tube("M178 468H432", colour, 13)
    sheet.tube("M300 326V240", colour, 9)
    sheet.tube("M300 232a16 16 0 1 1 .1 0", colour, 8)


def butter_dish(sheet: Sheet, *, colour: str, knob: str = "wood") -> None:
    sheet.shadow(300, 474, 160)
    sheet.solid(box(128, 436, 344, 36, 16), colour, depth=40, edge=9)
    sheet.solid("M170 436V366Q170 326 214 326H386Q430 326 430 366V436Z", colour, depth=46, edge=12)
    sheet.line("M190 424H410", shaded(colour, 0.4), 2.5, opacity=0.4)
    sheet.solid(oval(300, 308, 25, 21), knob, depth=12, edge=5)


def bread_board(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 468, 180, reach=0.4)
    board = sheet.solid(
        "M110 438Q110 416 134 416H440Q462 416 470 428L540 428Q556 428 556 442T540 456L470 456"
        "Q462 470 440 470H134Q110 470 110 446Z",
        colour,
        depth=22,
        edge=7,
    )
    for y in (430, 444, 456):
        sheet.inside(board, f"M110 {y}q160 -8 360 2v2q-200 -8 -360 0z", shaded(colour, 0.3), 0.4)
    sheet.fill(oval(530, 442, 9, 6), shaded(colour, 0.55))
    loaf = sheet.solid(
        "M150 418C130 330 190 292 282 296C384 290 428 340 410 418Z", "#c07f43", depth=36, edge=14
    )
    for x in (196, 256, 316):
        sheet.inside(loaf, f"M{x} 340q30 -30 56 -40l8 12q-34 14 -52 40z", "#f3dcae")


def salt_cellar(sheet: Sheet, *, colour: str, lid: str = "walnut") -> None:
    sheet.shadow(290, 474, 104)
    pot = sheet.solid(
        lathe(290, [(100, 356), (112, 400), (106, 452), (84, 472)], sag=0.12), colour, depth=38
    )
    sheet.text("salt", 284, 426, 42, "ink")
    sheet.inside(pot, "M170 350h300v10h-300z", shaded(colour, 0.4), 0.35)
    sheet.solid(lathe(290, [(106, 334), (108, 352)], pull=0.5, sag=0.14), lid, depth=34)
    sheet.fill(oval(290, 334, 106, 16), lit(lid, 0.2))
    sheet.tube("M350 336L420 262", "wood", 11)


def napkin_rings(sheet: Sheet, *, colour: str, cloth: str) -> None:
    for x, y, paint in ((336, 448, "milk"), (252, 466, cloth)):
        sheet.shadow(x, y, 150, reach=0.4)
        sheet.solid(
            polygon(
                (x - 150, y - 70),
                (x - 20, y - 42),
                (x + 140, y - 84),
                (x + 152, y - 8),
                (x - 14, y - 18),
                (x - 142, y + 2),
            ),
            paint,
            depth=18,
        )
        sheet.line(
            f"M{x - 140} {y - 50}L{x - 20} {y - 34}L{x + 140} {y - 60}", shaded(paint, 0.3), 2
        )
        sheet.solid(box(x - 44, y - 66, 48, 64, 20), colour, depth=16, edge=6)


def tray(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 474, 210, reach=0.3)
    mug(sheet, colour="milk", x=220, base=452, radius=48, height=92)
    mug(sheet, colour="clay", x=370, base=452, radius=48, height=92, hot=False)
    sheet.tube("M92 442C62 420 62 396 96 398", colour, 14)
    sheet.tube("M508 442C538 420 538 396 504 398", colour, 14)
    body = sheet.solid("M84 432H516L498 474Q300 480 102 474Z", colour, depth=30, edge=8)
    sheet.inside(body, "M84 446h440v3h-440z", shaded(colour, 0.4), 0.5)
