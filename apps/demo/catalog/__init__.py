"""The demo shop's products, as data. `CATEGORIES` in the order of the menu, `ITEMS` all products."""

from apps.demo.catalog import (
    breakfast,
    coffee_tea,
    cups,
    garden,
    kettles,
    lamps,
    paper,
    textiles,
)
from apps.demo.catalog.form import (
    CATEGORIES,
    Choice,
    DemoCategory,
    Item,
    VariantRow,
)

_BY_CATEGORY = dict(
    zip(
        (category.slug for category in CATEGORIES),
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

ITEMS: tuple[Item, ...] = tuple(item for items in _BY_CATEGORY.values() for item in items)
CATEGORY_OF: dict[str, str] = {
    item.slug: category for category, items in _BY_CATEGORY.items() for item in items
}

__all__ = ["CATEGORIES", "CATEGORY_OF", "ITEMS", "Choice", "DemoCategory", "Item", "VariantRow"]
