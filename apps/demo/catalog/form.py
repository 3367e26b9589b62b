"""The types of the demo catalog's data, and its categories.

An item names its choices (colour, scent, size …); its variants are all combinations, in order, each
with a SKU made of the item's code and the choices, so a second run of seed_demo finds the same SKUs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from apps.demo.art.gallery import Pose


@dataclass(frozen=True)
class DemoCategory:
    """A category. `caption` is shown above its name."""

    slug: str
    name: str
    caption: str
    description: str


CATEGORIES: tuple[DemoCategory, ...] = (
    DemoCategory(
        "lamps-candles",
        "Lamps & Candles",
        "6:20",
        "For the part of the morning that is technically still night. Soft light, no opinions.",
    ),
    DemoCategory(
        "kettles-pots",
        "Kettles & Pots",
        "6:40",
        "Water goes in cold and comes out useful. Everything here pours straight and ages well.",
    ),
    DemoCategory(
        "coffee-tea",
        "Coffee & Tea",
        "6:55",
        "Roasted on Tuesdays, packed on Wednesdays, needed on all of them.",
    ),
    DemoCategory(
        "cups-mugs",
        "Cups & Mugs",
        "7:10",
        "The distance between you and the coffee. Thrown in small batches; no two quite agree.",
    ),
    DemoCategory(
        "textiles",
        "Textiles",
        "7:30",
        "Wool, linen and waffle cotton, for going back under and for drying up afterwards.",
    ),
    DemoCategory(
        "breakfast-table",
        "Breakfast Table",
        "7:45",
        "What stands between the toast and the talk. Things that are passed from hand to hand.",
    ),
    DemoCategory(
        "paper-desk",
        "Paper & Desk",
        "8:15",
        "Lists get shorter when they are written by hand. We have not found out why.",
    ),
    DemoCategory(
        "windowsill-garden",
        "Windowsill Garden",
        "9:00",
        "Forty centimetres of land with a view. Plants for people who forget, and tools for those"
        " who do not.",
    ),
)


@dataclass(frozen=True)
class Choice:
    """One value of an option: its label, and what it changes. `heavier` multiplies the weight."""

    label: str
    paint: Mapping[str, Any] = field(default_factory=dict)
    extra: int = 0  # cents added to the item's price
    heavier: float = 1.0


@dataclass(frozen=True)
class VariantRow:
    """One SKU of an item, computed from its choices."""

    sku: str
    name: str
    options: dict[str, str]
    price: int
    compare_at: int | None
    weight_grams: int
    stock: int
    paint: dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One product. Prices in cents, weight in grams; `wide` and `high` as texts for the drawing.

    `stock` is the opening stock of each variant; `scarce` overrides it for a variant by its name
    ("Pine", "Pine / Large"): 2 is "only 2 left", 0 is sold out.
    """

    code: str
    slug: str
    name: str
    price: int
    weight: int
    text: str
    facts: tuple[str, ...]
    pose: Pose
    wide: str
    high: str
    options: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    stock: int = 40
    scarce: Mapping[str, int] = field(default_factory=dict)
    was: int | None = None
    featured: bool = False
    maker: str = "Kettle & Pine"
    tags: tuple[str, ...] = ()

    def description(self) -> str:
        """HTML: the text's paragraphs, then the facts as a list."""
        paragraphs = "".join(f"<p>{part.strip()}</p>" for part in self.text.strip().split("\n\n"))
        facts = "".join(f"<li>{fact}</li>" for fact in self.facts)
        return f"{paragraphs}<ul>{facts}</ul>"

    def variants(self) -> Iterator[VariantRow]:
        """One row for each combination of choices."""
        for choices in product(*self.options.values()):
            name = " / ".join(choice.label for choice in choices)
            extra = sum(choice.extra for choice in choices)
            paint: dict[str, Any] = {}
            weight = float(self.weight)
            for choice in choices:
                paint.update(choice.paint)
                weight *= choice.heavier
            tail = "".join("-" + _code(choice.label) for choice in choices)
            yield VariantRow(
                sku=f"KP-{self.code}{tail}",
                name=name,
                options=dict(zip(self.options, (c.label for c in choices), strict=True)),
                price=self.price + extra,
                compare_at=self.was + extra if self.was else None,
                weight_grams=round(weight),
                stock=self.scarce.get(name, self.stock),
                paint=paint,
            )


def _code(label: str) -> str:
    """The label in a SKU, letters and digits only: `Wet stone` is WETSTONE, `1.2 l` is 1-2L."""
    return re.sub(r"[^A-Z0-9-]+", "", label.upper().replace(".", "-"))[:12]
