"""Cards of products in lists, and how stock is put in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count
from django.templatetags.static import static

from apps.catalog import browse
from apps.catalog.models import Product, Variant
from apps.inventory.stock import ENDLESS

FEW = 3  # units; up to this number pages show how many are left
SHIPS_LATER = "Ships later"


@dataclass(frozen=True, slots=True)
class Card:
    """What a card shows; amounts in minor units. `stock_words` is empty where enough is left.

    It holds no count that is not shown, so that cards that look alike are equal.
    """

    slug: str
    name: str
    image: str
    price: int
    was: int | None
    is_from: bool
    in_stock: bool
    stock_words: str


def cards(products: Iterable[Product]) -> list[Card]:
    """The cards of products from `browse.products`, which annotates what they show."""
    shown = list(products)
    several = _with_several_variants(shown)
    later = _back_ordered(shown)
    return [
        Card(
            slug=product.slug,
            name=product.name,
            image=product.image_path or placeholder(),  # type: ignore[attr-defined]
            price=product.price_amount,
            was=reduced_from(product.compare_at_amount, product.price_amount),
            is_from=product.dearest_amount > product.price_amount,  # type: ignore[attr-defined]
            in_stock=product.in_stock,  # type: ignore[attr-defined]
            stock_words=SHIPS_LATER
            if product.pk in later
            else _few_words(product, several=product.pk in several),
        )
        for product in shown
    ]


def _with_several_variants(products: list[Product]) -> set[int]:
    """Ids of those of which few are left, in several variants. No query where there is none."""
    few = [product.pk for product in products if _is_few(product)]
    if not few:
        return set()
    counted = (
        Variant.objects.filter(product__in=few, active=True)
        .values("product")
        .annotate(n=Count("pk"))
        .filter(n__gt=1)
    )
    return set(counted.values_list("product", flat=True))


def _back_ordered(products: list[Product]) -> set[int]:
    """Ids of those of which everything ships later. No query where nothing sells on."""
    endless = [product.pk for product in products if product.units_left >= ENDLESS]  # type: ignore[attr-defined]
    return browse.back_ordered(endless) if endless else set()


def _is_few(product: Product) -> bool:
    return 0 < product.units_left <= FEW  # type: ignore[attr-defined]


def _few_words(product: Product, *, several: bool) -> str:
    if not _is_few(product):
        return ""
    # The sum over variants is no promise: of three that are left, each may be another size.
    return "Last few" if several else f"Only {product.units_left} left"  # type: ignore[attr-defined]


def placeholder() -> str:
    """The picture of a product that has none."""
    return static("demo/placeholder.svg")


def reduced_from(compare_at: int | None, price: int) -> int | None:
    """The earlier price if it was higher; imported data also holds lower ones."""
    return compare_at if compare_at and compare_at > price else None


def stock_words(available: int, *, later: bool = False) -> str:
    """For a variant's availability line; `later`: none is there, what is bought is a back order."""
    if later:
        return "On back order: ships later"
    if available < 1:
        return "Sold out"
    if available <= FEW:
        return f"Only {available} left"
    return "In stock"


def stock_note(available: int, *, later: bool = False) -> str:
    """The words beside an option; empty when there is enough."""
    if later:
        return "ships later"
    if available < 1:
        return "sold out"
    return f"{available} left" if available <= FEW else ""


def stock_class(available: int, *, later: bool = False) -> str:
    """The CSS class of those words."""
    if available < 1:
        return "out"
    return "low" if later or available <= FEW else ""


def back_order_words(back_ordered: int, quantity: int) -> str:
    """For a line of a cart of which `back_ordered` units are not there yet; empty when all are."""
    if not back_ordered:
        return ""
    if back_ordered >= quantity:
        return f"On back order: {'it ships' if quantity == 1 else 'they ship'} later."
    return f"{quantity - back_ordered} in stock, {back_ordered} on back order: ships later."
