"""A product on a shelf, a variant on its page, and how stock is put in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.templatetags.static import static

from apps.catalog.models import Product

FEW = 3  # from here down a shopper is told the number


@dataclass(frozen=True, slots=True)
class Card:
    """Amounts in minor units. `left` is what could be bought of all variants together.

    No more is told of it than is shown, FEW + 1 for all that is above FEW: cards that look alike
    are alike.
    """

    slug: str
    name: str
    image: str
    price: int
    was: int | None
    is_from: bool
    in_stock: bool
    left: int


def cards(products: Iterable[Product]) -> list[Card]:
    """The cards of products from `browse.products`, which annotates what is read here."""
    return [
        Card(
            slug=product.slug,
            name=product.name,
            image=product.image_path or placeholder(),  # type: ignore[attr-defined]
            price=product.price_amount,
            was=reduced_from(product.compare_at_amount, product.price_amount),
            is_from=product.dearest_amount > product.price_amount,  # type: ignore[attr-defined]
            in_stock=product.in_stock,  # type: ignore[attr-defined]
            left=min(product.units_left, FEW + 1),  # type: ignore[attr-defined]
        )
        for product in products
    ]


def placeholder() -> str:
    """The drawn parcel, for what came without a picture."""
    return static("demo/placeholder.svg")


def reduced_from(compare_at: int | None, price: int) -> int | None:
    """The price before, if there was a higher one; imports bring others along."""
    return compare_at if compare_at and compare_at > price else None


def stock_words(available: int) -> str:
    if available < 1:
        return "Sold out"
    if available <= FEW:
        return f"Only {available} left"
    return "In stock"


def stock_note(available: int) -> str:
    """The few words beside an option; nothing where there is nothing to say."""
    if available < 1:
        return "sold out"
    return f"{available} left" if available <= FEW else ""


def stock_class(available: int) -> str:
    if available < 1:
        return "out"
    return "low" if available <= FEW else ""
