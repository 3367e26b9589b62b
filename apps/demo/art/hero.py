"""The picture of the home page: a kitchen windowsill at sunrise, with pines and a kettle.

Wide (1600 × 900), so that a page may crop it from the left on a small screen; the main items are
right of the middle.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.demo.art import garden, kitchen, tableware
from apps.demo.art.canvas import Sheet, at, polygon

Drawing = Callable[..., None]


def _pine(sheet: Sheet, x: float, base: float, height: float, colour: str) -> None:
    for step in range(4):
        top = base - height + step * height * 0.2
        half = height * (0.1 + step * 0.055)
        sheet.fill(
            f"M{at(x, top)}Q{at(x + half * 0.5, top + height * 0.2, x + half, top + height * 0.33)}"
            f"Q{at(x, top + height * 0.26, x - half, top + height * 0.33)}"
            f"Q{at(x - half * 0.5, top + height * 0.2, x, top)}Z",
            colour,
        )
    sheet.fill(
        polygon(
            (x - 4, base - height * 0.1), (x + 4, base - height * 0.1), (x + 4, base), (x - 4, base)
        ),
        colour,
    )


def windowsill() -> str:
    sheet = Sheet()
    out = sheet.raw
    out(
        '<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">'
        '<stop offset="0" stop-color="#8fa9bf"/><stop offset=".5" stop-color="#e9cdb0"/>'
        '<stop offset=".78" stop-color="#f7dc9c"/></linearGradient></defs>'
        '<rect width="1600" height="900" fill="#cfdad6"/>'
        '<rect x="700" width="860" height="742" fill="url(#sky)"/>'
    )
    out('<clipPath id="pane"><path d="M700 0h860v742H700z"/></clipPath><g clip-path="url(#pane)">')
    out(
        '<circle cx="1010" cy="470" r="230" fill="#fff0c4" opacity=".35"/>'
        '<circle cx="1010" cy="470" r="150" fill="#fff0c4" opacity=".45"/>'
        '<circle cx="1010" cy="470" r="84" fill="#fff3cf"/>'
    )
    sheet.fill("M700 500Q860 430 1000 486T1280 452T1560 500V742H700Z", "#a9b9bd")
    sheet.fill("M700 560Q900 490 1100 556T1560 530V742H700Z", "#7f9a98")
    for x, height in (
        (760, 150),
        (838, 190),
        (902, 140),
        (1180, 170),
        (1250, 210),
        (1330, 160),
        (1500, 190),
    ):
        _pine(sheet, x, 610, height, "#5f8079")
    sheet.fill("M700 604Q940 560 1180 606T1560 586V742H700Z", "#4a6f66")
    for x, height in ((724, 250), (806, 200), (1378, 260), (1452, 330), (1540, 280), (1120, 150)):
        _pine(sheet, x, 690, height, "#2f5a4c")
    sheet.fill("M700 672Q1000 640 1560 676V742H700Z", "#264a40")
    out("</g>")
    # The window frame.
    for x, width in ((680, 26), (1548, 30), (1118, 20)):
        out(f'<rect x="{x}" width="{width}" height="748" fill="#f7f1e4"/>')
        out(f'<rect x="{x + width - 7}" width="7" height="748" fill="#c9c9bd"/>')
    out(
        '<rect x="680" y="296" width="898" height="18" fill="#f7f1e4"/>'
        '<rect x="680" y="308" width="898" height="6" fill="#c9c9bd"/>'
    )
    # The sill, its front edge, and sunlight on it.
    out(
        '<rect y="736" width="1600" height="92" fill="#efe2c6"/>'
        '<rect y="828" width="1600" height="72" fill="#d6c3a0"/>'
        '<rect y="828" width="1600" height="8" fill="#c0ab84"/>'
    )
    sheet.fill(polygon((760, 740), (1090, 740), (900, 828), (500, 828)), "#fff6d8", 0.7)
    sheet.fill(polygon((1160, 740), (1500, 740), (1390, 828), (980, 828)), "#fff6d8", 0.7)

    def stand(x: float, base: float, zoom: float, draw: Drawing, **params: str | bool) -> None:
        out(f'<g transform="translate({at(x - 300 * zoom, base - 472 * zoom)}) scale({zoom:g})">')
        draw(sheet, **params)
        out("</g>")

    stand(1462, 800, 0.98, garden.plant_pot, colour="clay", plant="pilea", leaves="moss")
    stand(
        806, 776, 0.62, garden.plant_pot, colour="milk", plant="bush", leaves="sage", saucer=False
    )
    stand(1052, 806, 1.2, kitchen.gooseneck_kettle, colour="tomato")
    stand(1312, 822, 0.7, tableware.mug, colour="milk", dip="dusk", hot=False)
    kitchen.steam(sheet, 1322, 508, 150)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 900" role="img"'
        ' preserveAspectRatio="xMaxYMax slice"><title>A kitchen windowsill at sunrise</title>'
        f"{''.join(sheet.parts)}</svg>\n"
    )
