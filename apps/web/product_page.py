"""What a product's page shows: variants with stock, options, pictures, related products."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.utils.html import strip_tags
from django.utils.text import Truncator

from apps.catalog import browse
from apps.catalog.browse import OptionDetail, ProductDetail
from apps.core import money
from apps.inventory import stock
from apps.web import product_cards

# Of a variant: units for sale, as far as pages tell them apart; whether it ships later.
StockShown = tuple[int, bool]

RELATED = 4
RELATED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class VariantShown:
    """One SKU of a product's page; amounts in minor units. `later`: bought now, it ships later."""

    sku: str
    name: str
    options: dict[str, str]
    price: int
    was: int | None
    available: int
    image: str
    later: bool = False

    @property
    def stock_shown(self) -> StockShown:
        return _shown(self.available, self.later)

    @property
    def stock_words(self) -> str:
        return product_cards.stock_words(self.available, later=self.later)

    @property
    def stock_note(self) -> str:
        return product_cards.stock_note(self.available, later=self.later)

    @property
    def stock_class(self) -> str:
        return product_cards.stock_class(self.available, later=self.later)


def made_of(
    detail: ProductDetail,
    left: Iterable[StockShown],
    neighbours: list[product_cards.Card],
    asked: str = "",
) -> tuple[object, ...]:
    """All by which two pages of this product can differ, for a visitor with an empty cart.

    `left`: what is shown of each variant's stock; `asked`: the SKU in the address.
    """
    return (
        detail,
        list(left),
        asked if asked in detail.skus else "",
        neighbours,
    )


def tags_of(detail: ProductDetail) -> tuple[str, ...]:
    """By which a shared cache may drop this page."""
    return f"product-{detail.slug}", f"category-{detail.category.slug}"


def variants_of(detail: ProductDetail) -> list[VariantShown]:
    """The variants in their order, each with its units for sale now."""
    return [
        VariantShown(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            price=variant.price_amount,
            was=product_cards.reduced_from(variant.compare_at_amount, variant.price_amount),
            available=level.for_sale,
            image=variant.image,
            later=_ships_later(level),
        )
        for variant, level in zip(detail.variants, _levels(detail), strict=True)
    ]


def stock_shown(detail: ProductDetail) -> tuple[StockShown, ...]:
    """What the page shows of each variant's stock now, in their order."""
    return tuple(_shown(level.for_sale, _ships_later(level)) for level in _levels(detail))


def _levels(detail: ProductDetail) -> list[stock.Level]:
    """The stock of each variant; read from PostgreSQL, never from a cache."""
    levels = stock.levels(detail.skus)
    return [levels.get(sku, stock.Level()) for sku in detail.skus]


def _ships_later(level: stock.Level) -> bool:
    return level.back_ordered(1) > 0


def _shown(available: int, later: bool) -> StockShown:
    return min(available, product_cards.FEW + 1), later


def variant_with(
    detail: ProductDetail, variants: list[VariantShown], values: list[str]
) -> VariantShown | None:
    """The variant with these values of the product's options, in their order; None: none has."""
    names = [option.name for option in detail.options]
    for variant in variants:
        if all(variant.options.get(n) == v for n, v in zip(names, values, strict=True)):
            return variant
    return None


def related(detail: ProductDetail) -> list[product_cards.Card]:
    """Products of the same category. Cached for a minute: in a sale many request the same list."""
    key = f"web:related:{detail.category.slug}"
    found_cards = cache.get(key)
    if found_cards is None:
        found = browse.products(category=detail.category.slug, in_stock=True)[: RELATED + 1]
        found_cards = product_cards.cards(found)
        cache.set(key, found_cards, RELATED_SECONDS)
    return [card for card in found_cards if card.slug != detail.slug][:RELATED]


def context_of(
    detail: ProductDetail,
    variants: list[VariantShown],
    *,
    asked: str = "",
    values: list[str] | None = None,
) -> dict[str, Any]:
    """For web/product.html. `asked`: the SKU in the address; `values`: those of a refused form."""
    sellable = [variant for variant in variants if variant.available > 0]
    chosen = (
        (variant_with(detail, variants, values) if values else None)
        or next((variant for variant in variants if variant.sku == asked), None)
        or next(iter(sellable or variants), None)
    )
    pictures = [{"url": picture.path, "alt": picture.alt} for picture in detail.images] or [
        {"url": product_cards.placeholder(), "alt": f"{detail.name}: picture to follow"}
    ]
    names = [option.name for option in detail.options]
    return {
        "product": {
            "slug": detail.slug,
            "name": detail.name,
            "vendor": detail.vendor,
            "description": detail.description,
            "summary": Truncator(strip_tags(detail.description)).chars(150),
            "category": detail.category,
            "pictures": pictures,
            "variants": variants,
            "sellable": bool(sellable),
            "listed": detail.listed,
        },
        "chosen": chosen
        or VariantShown("", "", {}, detail.price_amount, detail.compare_at_amount, 0, ""),
        "options": _options(detail, variants, chosen),
        "only": [
            (position, option.values[0])
            for position, option in enumerate(detail.options)
            if _is_placeholder(option)
        ],
        "quantity": "1",
        "error": "",
        "caption": detail.trail[0].caption if detail.trail else "",
        "current_category": detail.trail[0].slug if detail.trail else "",
        "related": related(detail),
        "variants_data": _for_script(
            detail, variants, names, [picture["url"] for picture in pictures]
        ),
    }


def _is_placeholder(option: OptionDetail) -> bool:
    # Shopify gives a product without options one named "Title".
    return len(option.values) == 1 and option.values[0] == "Default Title"


def _options(
    detail: ProductDetail, variants: list[VariantShown], chosen: VariantShown | None
) -> list[dict[str, Any]]:
    names = [option.name for option in detail.options]
    return [
        {
            "name": option.name,
            "position": position,
            "values": [
                _option_value(position, value, names, variants, chosen) for value in option.values
            ],
        }
        for position, option in enumerate(detail.options)
        if not _is_placeholder(option)
    ]


def _for_script(
    detail: ProductDetail, variants: list[VariantShown], names: list[str], pictures: list[str]
) -> list[dict[str, Any]]:
    """What static/js/product.js needs of each variant; `picture` is an index into `pictures`."""
    index = {url: position for position, url in enumerate(pictures)}
    return [
        {
            "values": [variant.options.get(name, "") for name in names],
            "price": money.for_people(variant.price, detail.currency),
            "was": money.for_people(variant.was, detail.currency) if variant.was else "",
            "available": min(variant.available, product_cards.FEW + 1),
            "words": variant.stock_words,
            "state": variant.stock_class,
            "note": variant.stock_note,
            "picture": index.get(variant.image),
        }
        for variant in variants
    ]


def _option_value(
    position: int,
    value: str,
    names: list[str],
    variants: list[VariantShown],
    chosen: VariantShown | None,
) -> dict[str, Any]:
    """One value of an option, and its stock with the other values chosen now."""
    wanted = dict(chosen.options) if chosen else {}
    wanted[names[position]] = value
    variant = next((each for each in variants if each.options == wanted), None)
    return {
        "label": value,
        "chosen": chosen is not None and chosen.options.get(names[position]) == value,
        "gone": variant is None or variant.available < 1,
        "note": variant.stock_note if variant else "not made",
    }
