"""The cart as both stores return it, and the limits of a cart."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from apps.cart.errors import InvalidQuantity, TooManyPromos
from apps.core import clean_text

QUANTITY_MAX = 999
# For adding; a merge at sign-in may exceed it, because it must not lose a line.
LINES_MAX = 100
SKU_LENGTH_MAX = 120
PROMOS_MAX = 10
PROMO_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class CartLineView:
    """One SKU in a cart."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart as it was when it was read.

    A guest's cart has a `token`, which gives access to it; a customer's has an `owner_id`. Lines
    are in the order in which they were added, one per SKU. `open` is False once the cart was
    ordered: its lines are then what was ordered, and final. `version` counts the changes of a
    customer's cart.
    """

    id: UUID
    owner_id: int | None
    token: str | None
    lines: tuple[CartLineView, ...]
    promo_codes: tuple[str, ...]
    open: bool = True
    version: int | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        # Without the token: representations appear in logs and error pages.
        return f"CartView({self.id}, owner_id={self.owner_id}, lines={self.lines})"

    @property
    def quantities(self) -> dict[str, int]:
        return {line.sku: line.quantity for line in self.lines}

    def quantity_of(self, sku: str) -> int:
        """Units of `sku`; 0 when it is not in the cart."""
        return next((line.quantity for line in self.lines if line.sku == sku), 0)


def check_quantity(quantity: object, *, at_least: int) -> None:
    """Raise `InvalidQuantity` unless it is a whole number from `at_least` to `QUANTITY_MAX`."""
    # bool is a subclass of int: without this, True would count as 1.
    if type(quantity) is not int or not at_least <= quantity <= QUANTITY_MAX:
        raise InvalidQuantity(QUANTITY_MAX)


def is_storable_sku(sku: str) -> bool:
    """Whether this can be a SKU. PostgreSQL refuses NUL and surrogate characters."""
    return (
        0 < len(sku) <= SKU_LENGTH_MAX
        and "\x00" not in sku
        and not any("\ud800" <= character <= "\udfff" for character in sku)
    )


def checked_promos(codes: Iterable[str], *, before: Collection[str] = ()) -> tuple[str, ...]:
    """The codes, cleaned, without duplicates, in order. Raises `TooManyPromos`.

    Of a cart that has more codes `before` than it may (sign-ins bring them along), some can be
    taken off.
    """
    unique = tuple(dict.fromkeys(clean_text.code(code) for code in codes))
    if len(unique) > PROMOS_MAX and not set(unique) < set(before):
        raise TooManyPromos
    for code in unique:
        if not 0 < len(code) <= PROMO_LENGTH_MAX or not code.isprintable():
            raise TooManyPromos
    return unique
