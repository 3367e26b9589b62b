"""Kettles, pots and the things that make coffee."""

from __future__ import annotations

from apps.demo.art.canvas import Sheet, at, box, lathe, oval, polygon, shaded, smooth


def steam(sheet: Sheet, x: float, y: float, height: float = 90) -> None:
    if not sheet.painted:
        return
    for offset, share in ((0, 1.0), (22, 0.72)):
        top = y - height * share
        sheet.line(
            smooth(
                [
                    (x + offset, y),
                    (x + offset + 12, y - height * share * 0.33),
                    (x + offset - 8, y - height * share * 0.66),
                    (x + offset + 6, top),
                ],
                pull=1,
            ),
            "#fffaf0",
            7,
            opacity=0.55,
        )


def gooseneck_kettle(sheet: Sheet, *, colour: str, grip: str = "walnut") -> None:
    sheet.shadow(290, 474, 118)
    sheet.tube("M392 440C470 440 452 330 470 268C474 252 486 246 502 246", colour, 15)
    body = sheet.solid(
        lathe(290, [(62, 292), (66, 300), (90, 374), (116, 452), (117, 462)], sag=0.12),
        colour,
        depth=34,
    )
    sheet.inside(body, lathe(290, [(118, 438), (118, 446)]), shaded(colour, 0.3), 0.6)
    sheet.tube("M232 310C180 300 150 300 140 330C132 360 136 400 142 428", grip, 21)
    sheet.tube("M236 312C222 305 206 303 192 303", "brass", 12)
    sheet.solid(lathe(290, [(46, 268), (64, 282), (64, 294)], sag=0.1), colour, depth=22)
    sheet.solid(lathe(290, [(7, 250), (7, 268)]), "brass", depth=4, edge=2)
    sheet.solid(oval(290, 244, 17, 15), grip, depth=8, edge=4)


def whistling_kettle(sheet: Sheet, *, colour: str, grip: str = "wood") -> None:
    sheet.shadow(295, 474, 132)
    sheet.tube("M186 300C190 170 404 170 408 300", "steel", 11)
    sheet.tube("M222 224C250 194 342 194 370 224", grip, 22)
    sheet.solid(polygon((396, 350), (470, 286), (490, 312), (410, 404)), colour, depth=12)
    sheet.solid(polygon((462, 290), (480, 274), (500, 302), (486, 318)), "steel", depth=6, edge=3)
    body = sheet.solid(
        lathe(295, [(70, 300), (112, 330), (136, 400), (138, 440), (122, 472)], sag=0.1),
        colour,
        depth=42,
        edge=9,
    )
    sheet.inside(body, "M100 452h400v8h-400z", "milk", 0.75)
    sheet.solid(lathe(295, [(58, 284), (74, 296), (74, 304)], sag=0.14), colour, depth=20)
    sheet.solid(oval(295, 274, 18, 15), grip, depth=8, edge=4)


def teapot(sheet: Sheet, *, colour: str, lid: str | None = None, band: str | None = None) -> None:
    sheet.shadow(290, 474, 124)
    sheet.tube("M182 346C108 338 104 442 196 436", lid or colour, 19)
    sheet.solid(
        "M386 416C446 404 440 338 484 300L508 316C486 356 484 430 400 456Z", colour, depth=13
    )
    body = sheet.solid(
        lathe(290, [(60, 302), (98, 322), (126, 384), (116, 440), (78, 472)], sag=0.14),
        colour,
        depth=40,
        edge=10,
    )
    if band:
        sheet.inside(body, "M130 372q160 44 320 0v26q-160 44 -320 0z", band)
    sheet.solid(lathe(290, [(30, 282), (60, 296), (66, 306)], sag=0.2), lid or colour, depth=22)
    sheet.solid(oval(290, 270, 17, 16), lid or colour, depth=9, edge=4)


def iron_teapot(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(295, 474, 128)
    sheet.tube("M196 336C196 176 394 176 394 336", "ink", 12)
    sheet.solid(polygon((392, 378), (462, 338), (476, 360), (404, 430)), colour, depth=10)
    body = sheet.solid(
        lathe(295, [(64, 322), (112, 346), (128, 396), (112, 446), (80, 474)], sag=0.12),
        colour,
        depth=40,
        edge=7,
        glow=0.26,
    )
    dots = "".join(
        oval(182 + 22 * column + (11 if row % 2 else 0), 372 + row * 16, 4.2, 3.6)
        for row in range(5)
        for column in range(12)
    )
    sheet.inside(body, dots, shaded(colour, 0.4), 0.65)
    sheet.solid(lathe(295, [(40, 302), (66, 316), (70, 326)], sag=0.16), colour, depth=22)
    sheet.solid(oval(295, 294, 13, 11), "brass", depth=6, edge=3)


def moka_pot(sheet: Sheet, *, colour: str, grip: str = "ink") -> None:
    sheet.shadow(295, 474, 92)
    sheet.tube("M372 268C440 262 446 300 432 372", grip, 20)
    sheet.solid(polygon((206, 258), (182, 232), (224, 232), (240, 280)), colour, depth=8)
    top = polygon((214, 232), (376, 232), (352, 352), (238, 352))
    cover = sheet.solid(top, colour, depth=26, edge=12)
    for x1, x2 in ((258, 270), (312, 310)):
        sheet.line(f"M{x1} 232L{x2} 352", shaded(colour, 0.3), 2.5, clip=cover, opacity=0.5)
    base = polygon((240, 366), (350, 366), (388, 474), (202, 474))
    foot = sheet.solid(base, colour, depth=26, edge=12)
    for x1, x2 in ((270, 252), (314, 330)):
        sheet.line(f"M{x1} 366L{x2} 474", shaded(colour, 0.3), 2.5, clip=foot, opacity=0.5)
    sheet.solid(box(228, 346, 134, 24, 6), colour, depth=20, edge=6, tone=0.34)
    sheet.solid(polygon((222, 232), (258, 206), (332, 206), (368, 232)), colour, depth=16)
    sheet.solid(box(280, 182, 30, 26, 9), grip, depth=8, edge=4)


def milk_pan(sheet: Sheet, *, colour: str, rim: str = "ink") -> None:
    sheet.shadow(270, 474, 120)
    sheet.tube("M384 368L530 336", "wood", 22)
    sheet.tube("M372 372L410 362", "steel", 14)
    body = sheet.solid(
        lathe(270, [(122, 352), (120, 400), (114, 456), (104, 472)], sag=0.1), colour, depth=40
    )
    sheet.inside(body, "M100 460h400v30h-400z", shaded(colour, 0.3), 0.35)
    sheet.solid(polygon((150, 350), (128, 340), (146, 372)), colour, depth=4)
    sheet.fill(oval(270, 352, 124, 26), rim)
    sheet.fill(oval(270, 354, 116, 21), "milk")
    sheet.fill(oval(274, 360, 104, 14), "#fffdf6")
    steam(sheet, 246, 326, 100)


def porridge_pot(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 474, 136)
    sheet.tube("M166 378C130 372 130 404 168 404", colour, 17)
    sheet.tube("M434 378C470 372 470 404 432 404", colour, 17)
    sheet.solid(
        lathe(300, [(138, 348), (140, 380), (136, 440), (116, 472)], sag=0.1),
        colour,
        depth=46,
        edge=11,
    )
    sheet.solid(
        lathe(300, [(40, 300), (104, 318), (144, 344), (144, 354)], sag=0.12), colour, depth=40
    )
    sheet.solid(lathe(300, [(9, 284), (9, 304)]), "brass", depth=5, edge=2)
    sheet.solid(lathe(300, [(26, 270), (30, 280), (14, 288)]), "brass", depth=9, edge=4)


def french_press(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(290, 474, 92)
    sheet.line("M290 190V262", "steel" if sheet.painted else "ink", 7)
    sheet.solid(oval(290, 184, 17, 16), colour, depth=8, edge=4)
    sheet.tube("M372 292C452 288 452 428 372 424", colour, 18)
    glass = sheet.solid(box(208, 268, 164, 204, 12), "glass", depth=18, edge=8, tone=0.12)
    sheet.inside(glass, "M200 344h200v140h-200z", "#4a3226", 0.92)
    sheet.inside(glass, "M200 336h200v14h-200z", "#8a6243")
    sheet.inside(glass, "M222 270h12v200h-12z", "#ffffff", 0.3)
    for y in (300, 448):
        sheet.solid(box(203, y, 174, 13, 4), "steel", depth=26, edge=6)
    for x in (212, 358):
        sheet.solid(box(x, 300, 10, 174, 3), "steel", depth=4, edge=2)
    sheet.solid(lathe(290, [(50, 244), (84, 258), (88, 272)], sag=0.08), "steel", depth=28)


def dripper(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(290, 474, 82)
    glass = sheet.solid(
        lathe(290, [(44, 338), (48, 352), (88, 410), (92, 446), (70, 472)], sag=0.12),
        "glass",
        depth=20,
        tone=0.12,
    )
    sheet.inside(glass, "M180 420h220v70h-220z", "#5a3b29", 0.92)
    sheet.inside(glass, "M226 380q-20 40 -12 80l12 0q-8 -40 8 -76z", "#ffffff", 0.45)
    sheet.tube("M376 250C420 250 418 298 352 300", colour, 13)
    cone = sheet.solid(polygon((196, 222), (384, 222), (322, 330), (258, 330)), colour, depth=26)
    for x1, x2 in ((232, 272), (270, 284), (310, 298), (348, 312)):
        sheet.line(f"M{x1} 224L{x2} 330", shaded(colour, 0.3), 3, clip=cone, opacity=0.45)
    sheet.fill(oval(290, 222, 94, 17), shaded(colour, 0.34))
    sheet.fill(oval(290, 224, 84, 12), "#6e4a32")
    sheet.solid(lathe(290, [(66, 326), (84, 334), (84, 342)], sag=0.1), colour, depth=20)
    steam(sheet, 276, 204, 80)


def hand_grinder(sheet: Sheet, *, colour: str, wood: str = "walnut") -> None:
    sheet.shadow(290, 474, 96)
    sheet.tube("M290 204L398 190", "steel", 10)
    sheet.solid(oval(402, 176, 17, 19), wood, depth=8, edge=4)
    sheet.solid(box(282, 196, 16, 60, 5), "steel", depth=6, edge=3)
    sheet.solid(
        lathe(290, [(26, 236), (78, 258), (92, 304), (84, 322)], sag=0.1),
        colour,
        depth=30,
        edge=8,
    )
    case = sheet.solid(box(198, 322, 184, 150, 10), wood, depth=30, edge=9)
    sheet.inside(case, "M190 340h220v4h-220zM190 456h220v4h-220z", shaded(wood, 0.4), 0.5)
    sheet.solid(box(228, 372, 124, 66, 5), wood, depth=12, edge=5, tone=0.36)
    sheet.solid(oval(290, 404, 12, 12), "brass", depth=6, edge=3)


def coffee_bag(sheet: Sheet, *, colour: str, label: str, mark: str, words: str) -> None:
    sheet.shadow(290, 474, 100)
    bag = sheet.solid(
        "M200 214L382 208C386 290 400 400 404 468Q292 484 182 468C186 380 196 300 200 214Z",
        colour,
        depth=38,
        edge=10,
    )
    sheet.inside(bag, "M330 200L346 480 420 480 400 200Z", shaded(colour, 0.3), 0.3)
    sheet.solid(polygon((198, 214), (384, 208), (386, 244), (198, 250)), colour, depth=16)
    sheet.line("M200 240L386 234", shaded(colour, 0.4), 2, opacity=0.5)
    sheet.solid(box(188, 218, 12, 34, 3), "brass", depth=4, edge=2)
    sheet.solid(box(384, 212, 12, 34, 3), "brass", depth=4, edge=2)
    sheet.fill(box(222, 282, 138, 150, 4), label)
    _sun_mark(sheet, 291, 336, mark)
    sheet.text(words, 291, 396, 19, "ink")
    sheet.text("KETTLE & PINE", 291, 416, 8.5, "ink", spacing=2)


def _sun_mark(sheet: Sheet, x: float, y: float, colour: str, size: float = 26) -> None:
    """The shop's mark on labels: a half sun over a pine."""
    sheet.fill(f"M{at(x - size, y)}A{at(size, size)} 0 0 1 {at(x + size, y)}Z", colour)
    for step in range(3):
        width = size * (0.42 + 0.2 * step)
        top = y - size * 0.62 + step * size * 0.36
        sheet.fill(
            polygon(
                (x, top), (x + width * 0.62, top + size * 0.5), (x - width * 0.62, top + size * 0.5)
            ),
            "pine",
        )


def tea_tin(sheet: Sheet, *, colour: str, label: str, mark: str, words: str) -> None:
    sheet.shadow(290, 474, 94)
    tin = sheet.solid(
        lathe(290, [(92, 268), (92, 320), (92, 460), (92, 466)], pull=0.5, sag=0.13),
        colour,
        depth=36,
        edge=10,
    )
    sheet.inside(tin, "M190 330q100 26 200 0v106q-100 26 -200 0z", label)
    sheet.inside(tin, "M354 260h60v240h-60z", shaded(colour, 0.5), 0.18)
    _sun_mark(sheet, 286, 386, mark, 22)
    sheet.text(words, 286, 416, 17, "ink")
    sheet.text("KETTLE & PINE", 286, 433, 8, "ink", spacing=1.6)
    sheet.solid(lathe(290, [(94, 240), (95, 274), (95, 284)], pull=0.5, sag=0.13), colour, depth=34)
    sheet.fill(oval(290, 240, 94, 14), "steel" if colour == "milk" else "milk", 0.55)


def honey_jar(sheet: Sheet, *, colour: str = "marmalade", label: str, words: str) -> None:
    sheet.shadow(290, 474, 98)
    jar = sheet.solid(
        lathe(290, [(78, 276), (100, 306), (102, 440), (88, 470)], sag=0.12),
        colour,
        depth=34,
        edge=14,
        glow=0.5,
    )
    sheet.inside(jar, "M212 300h12v170h-12z", "#fff6d8", 0.5)
    sheet.inside(jar, "M180 344q110 26 220 0v76q-110 26 -220 0z", label)
    sheet.text(words, 288, 396, 20, "ink")
    sheet.text("KETTLE & PINE", 288, 414, 8, "ink", spacing=1.6)
    sheet.solid(lathe(290, [(80, 246), (84, 276)], pull=0.5, sag=0.12), "milk", depth=28)
    sheet.fill(oval(290, 246, 80, 12), "#fffdf4")


def scoop(sheet: Sheet, *, colour: str = "copper") -> None:
    sheet.shadow(300, 462, 150, reach=0.5)
    sheet.tube("M330 430L500 384", colour, 17)
    sheet.solid(oval(498, 384, 15, 11), "wood", depth=6, edge=3)
    sheet.solid(
        lathe(240, [(96, 392), (94, 420), (70, 456), (40, 466)], sag=0.12), colour, depth=30
    )
    sheet.fill(oval(240, 392, 97, 26), shaded(colour, 0.4))
    sheet.fill(oval(240, 396, 84, 19), "#4a3226")
    for x, y in ((196, 392), (232, 400), (266, 390), (246, 384), (284, 398), (214, 404)):
        sheet.fill(oval(x, y, 13, 9), "#6b4930")
        sheet.line(f"M{x - 9} {y}q9 -5 18 0", "#3a261b", 2)
