"""The demo shop's goods, as data. `SHELVES` is the order of the morning, `ITEMS` everything."""

from apps.demo.catalogue import (
    breakfast,
    coffee_tea,
    cups,
    garden,
    kettles,
    lamps,
    paper,
    textiles,
)
from apps.demo.catalogue.form import SHELVES, Choice, Item, Shelf, VariantRow

_BY_SHELF = dict(
    zip(
        (shelf.slug for shelf in SHELVES),
        (
            module.ITEMS
            for module in (
                lamps,
                kettles,
                coffee_tea,
                cups,
                textiles,
                breakfast,
                paper,
                garden,
            )
        ),
        strict=True,
    )
)

ITEMS: tuple[Item, ...] = tuple(item for items in _BY_SHELF.values() for item in items)
SHELF_OF: dict[str, str] = {
    item.slug: shelf for shelf, items in _BY_SHELF.items() for item in items
}

__all__ = ["ITEMS", "SHELF_OF", "SHELVES", "Choice", "Item", "Shelf", "VariantRow"]
