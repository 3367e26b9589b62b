"""Which pictures the demo shop has, where they lie, and what they show.

The files are committed below static/demo/; `manage.py draw_demo` draws them again. A test holds the
committed files against the drawings, so that neither can change alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from apps.demo.art import gallery, hero
from apps.demo.catalogue import ITEMS, SHELF_OF, SHELVES, Item

FOLDER = "demo"


@dataclass(frozen=True)
class Picture:
    """One file: its name below static/demo/, its words, and the variant it shows, if only one."""

    name: str
    alt: str
    svg: str
    skus: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/static/{FOLDER}/{self.name}"


def pictures_of(item: Item) -> Iterator[Picture]:
    """A portrait for each paint, then the scene, then the measured drawing."""
    shelf = SHELF_OF[item.slug]
    paints: dict[str, tuple[dict, list[str], list[str]]] = {}
    for row in item.variants():
        known = paints.setdefault(repr(sorted(row.paint.items())), (row.paint, [], []))
        known[1].append(row.sku)
        known[2].append(row.name)
    for paint, skus, names in paints.values():
        pose = replace(item.pose, params=item.pose.params | paint)
        shade = _shared(names) if len(paints) > 1 else ""
        tail = "-" + re.sub(r"[^a-z0-9]+", "-", shade.lower()).strip("-") if shade else ""
        alt = f"{item.name}, {shade}" if shade else item.name
        yield Picture(
            f"{item.slug}{tail}.svg",
            alt,
            gallery.portrait(pose, category=shelf, title=alt),
            tuple(skus) if len(paints) > 1 else (),
        )
    alt = f"{item.name} on the table, among others"
    yield Picture(
        f"{item.slug}--scene.svg",
        alt,
        gallery.scene(item.pose, _neighbours(item), category=shelf, title=alt),
    )
    alt = f"{item.name}, measured: {item.wide} by {item.high}"
    yield Picture(
        f"{item.slug}--measured.svg",
        alt,
        gallery.measured(
            item.pose, wide=item.wide, high=item.high, title=alt, figure=ITEMS.index(item) + 1
        ),
    )


def every_picture() -> Iterator[Picture]:
    """All files of static/demo/."""
    for item in ITEMS:
        yield from pictures_of(item)
    for shelf in SHELVES:
        items = [item for item in ITEMS if SHELF_OF[item.slug] == shelf.slug]
        first, *rest = sorted(items, key=lambda item: not item.featured)
        yield Picture(
            f"shelf-{shelf.slug}.svg",
            shelf.name,
            gallery.shelf(
                first.pose, [item.pose for item in rest], category=shelf.slug, title=shelf.name
            ),
        )
    empty = gallery.Pose("bowl", {"colour": "dusk", "food": None})
    yield Picture(
        "breakfast-bowl-empty.svg",
        "An empty bowl",
        gallery.portrait(empty, category="cups-mugs", title="An empty bowl"),
    )
    yield Picture("hero.svg", "A kitchen windowsill at sunrise", hero.windowsill())
    yield Picture("placeholder.svg", "Picture to follow", gallery.placeholder())


def draw_all(folder: Path) -> int:
    """Write every picture below `folder`; answers how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for picture in every_picture():
        (folder / picture.name).write_text(picture.svg, encoding="utf-8")
        count += 1
    return count


def _shared(names: list[str]) -> str:
    """What the variants of one paint have in common: "Clay band" of "Clay band / 0.8 l", …"""
    split = [name.split(" / ") for name in names]
    shared = [part for part in split[0] if all(part in other for other in split)]
    return " / ".join(shared) or split[0][0]


def _neighbours(item: Item) -> list[gallery.Pose]:
    """Two other things of the same shelf that can stand on a table."""
    shelf = [
        other
        for other in ITEMS
        if SHELF_OF[other.slug] == SHELF_OF[item.slug]
        and other.pose.drawing != item.pose.drawing
        and other.pose.drawing not in gallery.HANGING | gallery.SPRAWLING
    ]
    start = [other.slug for other in ITEMS].index(item.slug)
    return [shelf[(start + step) % len(shelf)].pose for step in (1, 3)]
