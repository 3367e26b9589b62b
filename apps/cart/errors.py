"""What can go wrong with a cart, by name. `code` is what the API says; `str()` is for people."""

from uuid import UUID


class CartError(Exception):
    """Any refusal of a cart."""

    code = "cart_error"


class CartNotFound(CartError):
    """No such cart for whoever asks: unknown, expired, or somebody else's (never told apart)."""

    code = "not_found"

    def __init__(self, cart_id: UUID) -> None:
        super().__init__("There is no such cart.")
        self.cart_id = cart_id


class CartClosed(CartNotFound):
    """The cart was ordered: it can be read, not changed. `of_user` has the next one."""

    code = "cart_closed"


class CartsUnavailable(CartError):
    """Guests' carts do not answer right now; nothing was changed as far as we know."""

    code = "carts_unavailable"

    def __init__(self) -> None:
        super().__init__("Your cart does not answer right now. Try again in a moment.")


class InsufficientStock(CartError):
    """More was asked for than can be bought now. The cart is as it was."""

    code = "insufficient_stock"

    def __init__(self, sku: str, available: int) -> None:
        super().__init__(f"Only {available} left." if available else "This is sold out.")
        self.sku = sku
        self.available = available


class UnknownSku(CartError):
    """Nothing is sold under this SKU (any more)."""

    code = "unknown_sku"

    def __init__(self, sku: str) -> None:
        super().__init__("This is not for sale.")
        self.sku = sku


class InvalidQuantity(CartError):
    """Not a whole number in the range, before or after adding."""

    code = "invalid_quantity"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"Choose a whole number up to {maximum}.")
        self.maximum = maximum


class TooManyLines(CartError):
    """A cart has an end."""

    code = "too_many_lines"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"A cart holds {maximum} different items; remove one first.")
        self.maximum = maximum


class TooManyPromos(CartError):
    """More codes than anyone has, or one that is no code."""

    code = "promo_invalid"

    def __init__(self) -> None:
        super().__init__("This is not a promo code, or there are too many.")
