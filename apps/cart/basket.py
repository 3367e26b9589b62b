"""The shape of a cart, the same wherever it is kept, and the limits of one."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from apps.cart.errors import InvalidQuantity, TooManyPromos

QUANTITY_MAX = 999
# For adding; a merge on login may go beyond it, because it must not lose a line.
LINES_MAX = 100
SKU_LENGTH_MAX = 120
PROMOS_MAX = 10
PROMO_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class CartLineView:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart as it was when it was read.

    A guest's has a `token`, which is the right to it; a customer's has an `owner_id`. Lines stand
    in the order in which they were added, one per SKU. `open` is False once a customer's cart was
    ordered.
    """

    id: UUID
    owner_id: int | None
    token: str | None
    lines: tuple[CartLineView, ...]
    promo_codes: tuple[str, ...]
    open: bool = True

    def __repr__(self) -> str:
        # The token is left out: representations end in logs and error pages.
        return f"CartView({self.id}, owner_id={self.owner_id}, lines={self.lines})"

    def quantity_of(self, sku: str) -> int:
        return next((line.quantity for line in self.lines if line.sku == sku), 0)


def check_quantity(quantity: object, *, at_least: int) -> None:
    """Raises `InvalidQuantity` unless a whole number from `at_least` to `QUANTITY_MAX`."""
    # bool is an int to Python: True would be one mug.
    if type(quantity) is not int or not at_least <= quantity <= QUANTITY_MAX:
        raise InvalidQuantity(QUANTITY_MAX)


def is_storable_sku(sku: str) -> bool:
    """Whether any SKU could look so; PostgreSQL raises at NUL and at half characters."""
    return (
        0 < len(sku) <= SKU_LENGTH_MAX
        and "\x00" not in sku
        and not any("\ud800" <= character <= "\udfff" for character in sku)
    )


def checked_promos(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes once each, in order. Raises `TooManyPromos`."""
    unique = tuple(dict.fromkeys(codes))
    if len(unique) > PROMOS_MAX:
        raise TooManyPromos
    for code in unique:
        if not 0 < len(code) <= PROMO_LENGTH_MAX or not code.isprintable():
            raise TooManyPromos
    return unique
