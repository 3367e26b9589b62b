"""The pictures of the demo shop: file names, alternative texts and drawings.

The files are committed below static/demo/; `manage.py draw_demo` draws them again. A test compares
the committed files with the drawings, so that neither can change alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from apps.demo.art import gallery, hero
from apps.demo.catalog import (
    CATEGORIES,
    CATEGORY_OF,
    ITEMS,
    Item,
)

FOLDER = "demo"


@dataclass(frozen=True)
class Picture:
    """One file below static/demo/. `skus`: the variants it shows; empty if it shows all."""

    name: str
    alt: str
    svg: str
    skus: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The URL path of the file."""
        return f"/static/{FOLDER}/{self.name}"


def pictures_of(item: Item) -> Iterator[Picture]:
    """A portrait for each paint, then the scene, then the measured drawing."""
    category = CATEGORY_OF[item.slug]
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
            gallery.portrait(pose, category=category, title=alt),
            tuple(skus) if len(paints) > 1 else (),
        )
    alt = f"{item.name} on the table, among others"
    yield Picture(
        f"{item.slug}--scene.svg",
        alt,
        gallery.scene(item.pose, _neighbours(item), category=category, title=alt),
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
    for category in CATEGORIES:
        items = [item for item in ITEMS if CATEGORY_OF[item.slug] == category.slug]
        first, *rest = sorted(items, key=lambda item: not item.featured)
        yield Picture(
            f"shelf-{category.slug}.svg",
            category.name,
            gallery.category_picture(
                first.pose,
                [item.pose for item in rest],
                category=category.slug,
                title=category.name,
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
    """Write every picture below `folder`; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for picture in every_picture():
        (folder / picture.name).write_text(picture.svg, encoding="utf-8")
        count += 1
    return count


def _shared(names: list[str]) -> str:
    """The part of the names that variants of one paint share: "Clay band" of "Clay band / 0.8 l"."""
    split = [name.split(" / ") for name in names]
    shared = [part for part in split[0] if all(part in other for other in split)]
    return " / ".join(shared) or split[0][0]


def _neighbours(item: Item) -> list[gallery.Pose]:
    """Two other items of the same category that can stand on a table."""
    others = [
        other
        for other in ITEMS
        if CATEGORY_OF[other.slug] == CATEGORY_OF[item.slug]
        and other.pose.drawing != item.pose.drawing
        and other.pose.drawing not in gallery.HANGING | gallery.SPRAWLING
    ]
    start = [other.slug for other in ITEMS].index(item.slug)
    return [others[(start + step) % len(others)].pose for step in (1, 3)]
