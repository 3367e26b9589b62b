"""Textiles, lamps, paper and desk items."""

from __future__ import annotations

from apps.demo.art.canvas import Sheet, at, box, lathe, lit, oval, polygon, shaded, smooth

FLAME = "#ffd979"


def _fold(sheet: Sheet, x: float, y: float, width: float, height: float, colour: str) -> str:
    """One folded layer: round at its left fold, open at its right."""
    return sheet.solid(
        f"M{at(x + height / 2, y)}H{at(x + width)}"
        f"Q{at(x + width + 7, y + height / 2, x + width, y + height)}"
        f"H{at(x + height / 2)}A{at(height / 2, height / 2)} 0 0 1 {at(x + height / 2, y)}Z",
        colour,
        depth=18,
        edge=6,
    )


def folded_stack(
    sheet: Sheet,
    *,
    colour: str,
    stripe: str,
    layers: int = 4,
    thick: float = 44,
    width: float = 320,
    fringe: bool = False,
    waffle: bool = False,
) -> None:
    left = 300 - width / 2
    sheet.shadow(300, 472, width / 2)
    for index in range(layers):
        y = 470 - (index + 1) * thick + index * 2
        wobble = (0, 5, -3, 3)[index % 4]
        clip = _fold(sheet, left + wobble, y, width, thick, colour)
        for position, band in ((0.62, 10), (0.7, 20), (0.82, 10)):
            x = left + wobble + width * position
            sheet.inside(
                clip,
                f"M{at(x, y)}h{at(band)}v{at(thick)}h-{at(band)}z",
                stripe,
            )
        if waffle:
            for step in range(1, 26):
                sheet.line(
                    f"M{at(left + step * 13, y)}v{at(thick)}",
                    shaded(colour, 0.3),
                    1.4,
                    clip=clip,
                    opacity=0.35,
                )
            sheet.line(
                f"M{at(left, y + thick / 2)}h{at(width)}",
                shaded(colour, 0.3),
                1.4,
                clip=clip,
                opacity=0.35,
            )
        if fringe:
            end = left + wobble + width
            for step in range(5):
                sheet.line(
                    f"M{at(end + 2, y + 6 + step * (thick - 12) / 4)}"
                    f"q12 2 20 {at(4 + step % 2 * 3)}",
                    colour,
                    4,
                )


def draped_blanket(sheet: Sheet, *, colour: str, stripe: str) -> None:
    """A blanket over the back of a bench."""
    sheet.shadow(300, 500, 210, reach=0.3)
    for x in (120, 464):
        sheet.solid(box(x, 300, 18, 200, 5), "wood", depth=7, edge=3)
    sheet.solid(box(96, 270, 408, 36, 12), "wood", depth=14, edge=6)
    cloth = sheet.solid(
        "M158 262Q300 244 440 262L452 440Q430 452 408 442Q384 430 360 446Q330 458 304 444"
        "Q276 432 250 448Q222 458 196 444Q170 434 150 446Z",
        colour,
        depth=34,
        edge=11,
    )
    for y in (330, 350, 384):
        sheet.inside(
            cloth, f"M130 {y}q170 16 340 0v{8 if y != 350 else 20}q-170 16 -340 0z", stripe
        )
    for x in (216, 296, 378):
        sheet.line(f"M{x} 270Q{x - 8} 360 {x + 2} 446", shaded(colour, 0.5), 9, opacity=0.16)
    for step in range(19):
        sheet.line(f"M{at(156 + step * 15.8, 446)}q3 12 -1 24", colour, 4)


def hanging_towels(sheet: Sheet, *, colour: str, stripe: str) -> None:
    sheet.tube("M110 178H490", "wood", 15)
    for x, paint, band, drop in ((160, colour, stripe, 238), (318, stripe, colour, 214)):
        cloth = sheet.solid(
            f"M{x} 174Q{x + 62} 164 {x + 126} 174L{x + 132} {174 + drop}"
            f"Q{x + 96} {190 + drop} {x + 62} {176 + drop}T{x - 6} {178 + drop}Z",
            paint,
            depth=22,
            edge=8,
        )
        for y in (drop - 10, drop + 12, drop + 34):
            sheet.inside(cloth, f"M{x - 10} {y + 90}h160v9h-160z", band)
        sheet.line(
            f"M{x + 62} 176Q{x + 56} 280 {x + 66} {174 + drop}", shaded(paint, 0.5), 8, opacity=0.15
        )


def apron(sheet: Sheet, *, colour: str, strap: str = "walnut") -> None:
    sheet.solid(oval(300, 116, 10, 10), "brass", depth=4, edge=2)
    sheet.line("M252 190C256 120 344 120 348 190", strap, 8)
    sheet.line("M196 304C150 320 150 380 170 420M404 304C450 320 450 380 430 420", strap, 7)
    cloth = sheet.solid(
        "M246 186H354C354 240 372 280 412 300L420 482Q300 500 180 482L188 300"
        "C228 280 246 240 246 186Z",
        colour,
        depth=32,
        edge=9,
    )
    sheet.line("M246 200H354", shaded(colour, 0.4), 2.5, dash="6 5", clip=cloth)
    sheet.solid(box(240, 346, 120, 88, 6), colour, depth=8, edge=4, tone=0.32)
    sheet.line("M300 350V432", shaded(colour, 0.4), 2, dash="6 5")
    sheet.tube("M262 370V320", "wood", 8)


def cushion(sheet: Sheet, *, colour: str, stripe: str) -> None:
    sheet.shadow(300, 472, 158)
    clip = sheet.solid(
        "M140 250Q300 276 460 250Q440 360 462 466Q300 450 138 466Q162 360 140 250Z",
        colour,
        depth=44,
        edge=13,
    )
    for x in (206, 246, 338, 378):
        sheet.inside(clip, f"M{x} 240q10 120 -2 240h18q10 -120 2 -240z", stripe)
    for x, y in ((140, 250), (460, 250), (462, 466), (138, 466)):
        sheet.solid(oval(x, y, 12, 12), stripe, depth=6, edge=3)


def slippers(sheet: Sheet, *, colour: str, lining: str = "oat") -> None:
    for x, y in ((56, -22), (0, 16)):
        sheet.shadow(270 + x, 462 + y, 150, reach=0.4)
        sheet.solid(
            f"M{120 + x} {446 + y}H{430 + x}Q{446 + x} {446 + y} {444 + x} {458 + y}"
            f"Q{440 + x} {470 + y} {420 + x} {470 + y}H{136 + x}"
            f"Q{116 + x} {466 + y} {120 + x} {446 + y}Z",
            "walnut",
            depth=20,
            edge=5,
        )
        sheet.solid(
            f"M{120 + x} {448 + y}C{110 + x} {390 + y} {140 + x} {376 + y} {190 + x} {382 + y}"
            f"L{280 + x} {352 + y}C{340 + x} {340 + y} {440 + x} {380 + y} {440 + x} {448 + y}Z",
            colour,
            depth=26,
            edge=10,
        )
        sheet.fill(
            f"M{136 + x} {398 + y}C{150 + x} {376 + y} {200 + x} {380 + y} {290 + x} {350 + y}"
            f"C{290 + x} {396 + y} {190 + x} {420 + y} {136 + x} {398 + y}Z",
            lining,
        )
        sheet.fill(
            f"M{160 + x} {396 + y}C{180 + x} {386 + y} {230 + x} {384 + y} {272 + x} {366 + y}"
            f"C{262 + x} {394 + y} {196 + x} {408 + y} {160 + x} {396 + y}Z",
            shaded(lining, 0.34),
        )


def tea_cosy(sheet: Sheet, *, colour: str, stripe: str) -> None:
    sheet.shadow(295, 474, 130)
    sheet.tube("M404 440C452 430 446 390 486 372", "milk", 24)
    sheet.tube("M182 400C120 396 122 452 186 448", "milk", 17)
    clip = sheet.solid(
        "M166 466C150 330 210 258 295 258S440 330 424 466Q295 482 166 466Z",
        colour,
        depth=44,
        edge=14,
    )
    for row in range(6):
        y = 300 + row * 28
        bumps = "".join("q11 -12 22 0" for _ in range(14))
        sheet.line(f"M146 {y}{bumps}", stripe if row % 2 else shaded(colour, 0.25), 7, clip=clip)
    sheet.solid(oval(295, 246, 28, 26), stripe, depth=12, edge=6)


# --- light -------------------------------------------------------------------------------------


def glow(sheet: Sheet, x: float, y: float, radius: float, strength: float = 0.2) -> None:
    if not sheet.painted:
        return
    for share in (1.0, 0.68, 0.4):
        sheet.raw(
            f'<circle cx="{at(x)}" cy="{at(y)}" r="{at(radius * share)}" fill="#ffe3a0"'
            f' opacity="{strength:g}"/>'
        )


def mushroom_lamp(sheet: Sheet, *, colour: str) -> None:
    glow(sheet, 300, 300, 250)
    sheet.shadow(300, 474, 88)
    sheet.solid(
        lathe(300, [(34, 320), (30, 380), (44, 440), (84, 466), (86, 474)], sag=0.12),
        colour,
        depth=24,
        edge=8,
    )
    sheet.fill(oval(300, 334, 142, 22), "#fff0c2")
    sheet.solid(
        "M154 334C154 236 220 194 300 194S446 236 446 334Q300 352 154 334Z",
        colour,
        depth=44,
        edge=14,
    )
    sheet.fill("M158 332Q300 352 442 332Q300 366 158 332Z", FLAME, 0.95)


def reading_lamp(sheet: Sheet, *, colour: str) -> None:
    if sheet.painted:
        sheet.raw('<path d="M150 300L60 474H330L270 270Z" fill="#ffe3a0" opacity=".26"/>')
    sheet.shadow(340, 474, 96)
    sheet.tube("M356 450L420 296L268 186", "brass", 11)
    sheet.solid(oval(420, 296, 15, 15), "ink", depth=6, edge=3)
    sheet.solid(lathe(350, [(40, 446), (92, 458), (94, 472)], sag=0.12), colour, depth=30)
    sheet.fill(polygon((146, 296), (270, 264), (262, 284), (158, 312)), FLAME)
    sheet.solid(
        "M242 160L288 196L276 272L142 306C148 236 186 176 242 160Z", colour, depth=26, edge=12
    )


def lantern(sheet: Sheet, *, colour: str) -> None:
    glow(sheet, 300, 356, 210)
    sheet.shadow(300, 474, 96)
    sheet.tube("M214 290C214 130 386 130 386 290", colour, 8)
    sheet.solid(polygon((262, 222), (338, 222), (368, 262), (232, 262)), colour, depth=20)
    sheet.solid(lathe(300, [(24, 198), (30, 222)]), colour, depth=10, edge=4)
    glass = sheet.solid(
        lathe(300, [(66, 268), (92, 340), (76, 414)], sag=0.1), "#f7e3ab", depth=18, tone=0.1
    )
    sheet.inside(glass, oval(300, 366, 17, 40), "#fff6d6")
    sheet.inside(glass, "M300 318C326 352 320 392 300 394C280 392 274 352 300 318Z", "marmalade")
    sheet.inside(glass, "M300 346C312 366 310 388 300 390C290 388 288 366 300 346Z", "#fff0b8")
    sheet.line("M234 300V410M366 300V410", "ink", 5)
    sheet.solid(lathe(300, [(82, 410), (96, 424), (100, 470)], sag=0.12), colour, depth=32)
    sheet.solid(oval(396, 446, 13, 13), "brass", depth=6, edge=3)


def _flame(sheet: Sheet, x: float, y: float, size: float = 1.0) -> None:
    s = size
    sheet.line(f"M{at(x, y)}v{at(-14 * s)}", "ink", 3.5)
    sheet.fill(
        f"M{at(x, y - 62 * s)}C{at(x + 26 * s, y - 28 * s, x + 18 * s, y - 6 * s, x, y - 5 * s)}"
        f"C{at(x - 18 * s, y - 6 * s, x - 22 * s, y - 28 * s, x, y - 62 * s)}Z",
        FLAME,
    )
    sheet.fill(
        f"M{at(x, y - 36 * s)}C{at(x + 12 * s, y - 20 * s, x + 9 * s, y - 7 * s, x, y - 6 * s)}"
        f"C{at(x - 9 * s, y - 7 * s, x - 11 * s, y - 20 * s, x, y - 36 * s)}Z",
        "#fff6d6",
    )


def jar_candle(sheet: Sheet, *, colour: str, label: str, words: str) -> None:
    glow(sheet, 300, 250, 190)
    sheet.shadow(300, 474, 100)
    jar = sheet.solid(
        lathe(300, [(102, 300), (104, 380), (100, 452), (90, 472)], sag=0.13),
        colour,
        depth=38,
        edge=11,
    )
    sheet.inside(jar, "M190 350q110 26 220 0v76q-110 26 -220 0z", label)
    sheet.text(words, 298, 404, 22, "ink")
    sheet.text("KETTLE & PINE", 298, 422, 8.5, "ink", spacing=1.8)
    sheet.fill(oval(300, 300, 102, 18), lit(colour, 0.3))
    sheet.fill(oval(300, 303, 92, 13), "#fff3d4")
    _flame(sheet, 300, 304)


def tapers(sheet: Sheet, *, colour: str, second: str, holder: str = "brass") -> None:
    for x, top, paint in ((224, 176, colour), (376, 226, second)):
        glow(sheet, x, top - 30, 110)
        sheet.shadow(x, 470, 66, reach=0.7)
        sheet.solid(box(x - 14, top, 28, 250, 8), paint, depth=9, edge=4)
        sheet.solid(
            lathe(x, [(22, 396), (18, 424), (26, 440), (66, 458), (66, 468)], sag=0.14),
            holder,
            depth=18,
        )
        _flame(sheet, x, top + 2, 0.9)


def chamberstick(sheet: Sheet, *, colour: str) -> None:
    glow(sheet, 280, 220, 150)
    sheet.shadow(290, 474, 130)
    sheet.tube("M396 446C472 436 470 372 412 392", colour, 14)
    sheet.solid(box(254, 252, 52, 170, 10), "milk", depth=16, edge=7)
    sheet.solid(lathe(280, [(38, 404), (36, 440)], sag=0.14), colour, depth=14)
    sheet.solid(lathe(280, [(136, 438), (116, 466), (70, 474)], sag=0.08), colour, depth=34, edge=9)
    sheet.fill(oval(280, 438, 137, 18), lit(colour, 0.25))
    sheet.solid(lathe(280, [(38, 404), (37, 436)], sag=0.14), colour, depth=14)
    _flame(sheet, 280, 254)


def matchbox(sheet: Sheet, *, colour: str, words: str) -> None:
    sheet.shadow(300, 472, 160, reach=0.5)
    for index, x in enumerate((388, 414, 440)):
        sheet.line(f"M{x - 120} {352 - index * 6}L{x + 70} {330 - index * 20}", "oat", 8)
        sheet.solid(oval(x + 72, 329 - index * 20, 12, 9), "tomato", depth=4, edge=2)
    sheet.solid(polygon((330, 350), (438, 350), (438, 470), (330, 470)), "oat", depth=10, edge=5)
    case = sheet.solid(box(120, 344, 270, 128, 4), colour, depth=16, edge=8)
    sheet.inside(case, "M120 454h270v18h-270z", "walnut")
    sheet.fill(oval(252, 398, 50, 42), "butter")
    sheet.fill("M202 398A50 42 0 0 1 302 398Z", "marmalade")
    sheet.text(words, 252, 410, 22, "ink")


# --- paper -------------------------------------------------------------------------------------


def notebook(sheet: Sheet, *, colour: str, ribbon: str = "tomato", words: str = "") -> None:
    sheet.shadow(300, 474, 130, reach=0.6)
    sheet.line("M330 470V492l-8 8M330 470v22l8 6", ribbon, 7)
    sheet.solid(box(182, 170, 246, 304, 9), shaded(colour, 0.3), depth=8, edge=4)
    sheet.solid(box(188, 172, 232, 296, 4), "paper", depth=10, edge=3)
    cover = sheet.solid(box(172, 164, 244, 304, 9), colour, depth=14, edge=9)
    sheet.inside(cover, "M172 164h34v304h-34z", shaded(colour, 0.5), 0.35)
    sheet.inside(cover, "M380 160h12v320h-12z", ribbon, 0.85)
    sheet.fill(box(236, 220, 116, 62, 3), "paper")
    sheet.text(words or "mornings", 294, 258, 20, "ink")


def pencils(sheet: Sheet, *, colours: tuple[str, ...]) -> None:
    sheet.shadow(300, 470, 150, reach=0.6)
    for index, paint in enumerate(colours):
        x = 172 + index * 46
        tip = 200 + (index * 37) % 60
        sheet.solid(
            polygon((x, tip), (x + 17, tip + 52), (x - 17, tip + 52)), "#ecd2a2", depth=8, edge=4
        )
        sheet.fill(polygon((x, tip), (x + 6, tip + 18), (x - 6, tip + 18)), "ink")
        sheet.solid(box(x - 17, tip + 50, 34, 420 - tip, 2), paint, depth=11, edge=7)
    band = sheet.solid(box(140, 392, 328, 58, 4), "oat", depth=20, edge=8)
    sheet.inside(band, "M140 400h328v3h-328zM140 438h328v3h-328z", "pine", 0.7)
    sheet.text("No. 2½", 304, 428, 21, "ink")


def letter_set(sheet: Sheet, *, colour: str, seal: str) -> None:
    sheet.shadow(300, 470, 180, reach=0.5)
    for x, y, paint in ((206, 226, "paper"), (190, 236, "paper")):
        sheet.solid(box(x, y, 260, 180, 3), paint, depth=8, edge=4)
    for step in range(4):
        sheet.line(f"M214 {262 + step * 18}H{408 - step * 22}", "slate", 2.4, opacity=0.5)
    body = sheet.solid(box(122, 306, 340, 166, 5), colour, depth=18, edge=8)
    sheet.inside(body, "M122 306L292 420L462 306V318L292 434L122 318Z", shaded(colour, 0.4), 0.5)
    sheet.solid(polygon((122, 306), (462, 306), (292, 414)), colour, depth=10, edge=6, tone=0.14)
    sheet.solid(oval(292, 408, 27, 25), seal, depth=10, edge=5)
    sheet.text("K", 292, 417, 24, "milk")


def desk_calendar(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 474, 150)
    sheet.solid(
        polygon((152, 470), (178, 222), (440, 222), (470, 470)), shaded(colour, 0.2), depth=12
    )
    page = sheet.solid(
        polygon((142, 462), (170, 214), (430, 214), (456, 462)), "paper", depth=12, edge=6
    )
    sheet.inside(page, polygon((140, 280), (166, 208), (440, 208), (460, 280)), colour)
    sheet.text("NOVEMBER", 300, 258, 24, "paper", spacing=3)
    for row in range(4):
        for column in range(7):
            x, y = 184 + column * 38.5 - row * 2 + row * column * 0.7, 312 + row * 37
            marked = row == 2 and column == 4
            sheet.fill(
                oval(x, y, 11 if marked else 6, 10 if marked else 5),
                "marmalade" if marked else "slate",
                1 if marked else 0.5,
            )
    for x in range(192, 430, 26):
        sheet.line(f"M{x} 224v-18q6 -10 10 0", "ink", 4)


def pen_tray(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 472, 190, reach=0.4)
    for y, paint, tip in ((402, "pine", "brass"), (420, "tomato", "steel")):
        sheet.tube(f"M150 {y}L430 {y - 26}", paint, 17)
        sheet.solid(polygon((430, y - 35), (468, y - 29), (430, y - 17)), tip, depth=4, edge=2)
    tray_ = sheet.solid(
        "M96 424H504Q512 424 508 440L498 460Q492 472 476 472H124"
        "Q108 472 102 460L92 440Q88 424 96 424Z",
        colour,
        depth=26,
        edge=9,
    )
    for y in (438, 452):
        sheet.inside(tray_, f"M80 {y}q200 -8 440 2v2q-240 -8 -440 0z", shaded(colour, 0.35), 0.45)


def ruler(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 452, 210, reach=0.3)
    body = sheet.solid(
        polygon((70, 400), (520, 318), (532, 374), (82, 458)), colour, depth=8, edge=7
    )
    for step in range(31):
        x, y = 78 + step * 14.6, 400 - step * 2.66
        sheet.line(
            f"M{at(x, y)}l{at(3 if step % 5 else 5)} {at(13 if step % 5 else 25)}",
            "ink",
            2.2,
            clip=body,
        )
    sheet.solid(oval(506, 352, 11, 10), "ink", depth=4, edge=2)


def tape_rolls(sheet: Sheet, *, colours: tuple[str, ...]) -> None:
    for index, paint in enumerate(colours):
        x, y, r = ((200, 392, 78), (392, 402, 68), (300, 296, 66))[index]
        if index < 2:
            sheet.shadow(x, 470, r)
        ring = sheet.solid(oval(x, y, r, r), paint, depth=20, edge=8)
        for step in range(10):
            sheet.inside(
                ring,
                oval(x - r + step * r / 4.4, y - r * 0.6 + (step % 3) * r * 0.6, 6, 6),
                "paper",
                0.6,
            )
        sheet.fill(oval(x, y, r * 0.56, r * 0.56), "oat")
        sheet.fill(oval(x + 3, y + 3, r * 0.45, r * 0.45), shaded("oat", 0.5))


def week_pad(sheet: Sheet, *, colour: str) -> None:
    sheet.shadow(300, 472, 150, reach=0.5)
    sheet.solid(box(150, 190, 306, 282, 4), shaded("oat", 0.1), depth=8, edge=4)
    page = sheet.solid(box(144, 182, 306, 282, 3), "paper", depth=8, edge=5)
    sheet.inside(page, "M144 182h306v48h-306z", colour)
    sheet.text("a slow week", 297, 214, 22, "paper")
    for step, day in enumerate(("M", "T", "W", "T", "F")):
        y = 262 + step * 42
        sheet.text(day, 172, y + 4, 17, "slate")
        sheet.line(f"M196 {y + 8}H424", "slate", 1.8, opacity=0.45)
    for y, x2 in ((252, 300), (336, 372), (420, 268)):
        sheet.line(
            smooth([(204, y), (230, y - 4), (250, y + 3), (x2 - 20, y - 3), (x2, y)], pull=1),
            "pine",
            3,
        )
    sheet.tube("M330 456L474 330", "butter", 15)


def robe_hook(sheet: Sheet, *, colour: str, stripe: str) -> None:
    """A waffle robe on its hook."""
    sheet.solid(oval(300, 112, 12, 12), "brass", depth=5, edge=2)
    sheet.line("M300 116v26", stripe, 6)
    for side in (-1, 1):
        sheet.solid(
            polygon(
                (300 + side * 46, 168),
                (300 + side * 108, 214),
                (300 + side * 134, 384),
                (300 + side * 88, 392),
                (300 + side * 72, 270),
            ),
            colour,
            depth=14,
            edge=6,
        )
    robe = sheet.solid(
        "M254 158Q300 140 346 158Q392 180 388 236L412 498Q300 514 188 498L212 236Q208 180 254 158Z",
        colour,
        depth=32,
        edge=9,
    )
    for step in range(24):
        sheet.line(f"M180 {160 + step * 15}H420", shaded(colour, 0.3), 1.3, clip=robe, opacity=0.35)
        sheet.line(f"M{184 + step * 11} 150V510", shaded(colour, 0.3), 1.3, clip=robe, opacity=0.35)
    sheet.inside(robe, "M254 152L300 330L346 152L366 160L306 362H294L234 160Z", stripe)
    sheet.inside(robe, "M180 330h240v26h-240z", stripe)
    sheet.line("M290 352l-12 82M304 352l16 70", stripe, 12)
