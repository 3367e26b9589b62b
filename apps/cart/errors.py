"""What can go wrong with a cart. `code` is for the API; `str()` is shown to shoppers."""

from uuid import UUID


class CartError(Exception):
    """Any refusal of a cart."""

    code = "cart_error"


class CartNotFound(CartError):
    """No such cart for this caller: unknown, expired, or another shopper's; one answer for all."""

    code = "not_found"

    def __init__(self, cart_id: UUID) -> None:
        super().__init__("There is no such cart.")
        self.cart_id = cart_id


class CartClosed(CartNotFound):
    """The cart was ordered: it can be read, not changed. `carts.next_of` has the one after it."""

    code = "cart_closed"


class CartsUnavailable(CartError):
    """The Redis of guests' carts does not answer. A change may or may not have been made."""

    code = "carts_unavailable"

    def __init__(self) -> None:
        super().__init__("Your cart does not answer right now. Try again in a moment.")


class InsufficientStock(CartError):
    """More units than are for sale now. The cart is unchanged."""

    code = "insufficient_stock"

    def __init__(self, sku: str, available: int) -> None:
        super().__init__(f"Only {available} left." if available else "This is sold out.")
        self.sku = sku
        self.available = available


class QuantityLimited(CartError):
    """More units than one order may have. The cart is unchanged."""

    code = "quantity_limit"

    def __init__(self, sku: str, allowed: int) -> None:
        super().__init__(f"At most {allowed} of this in one order.")
        self.sku = sku
        self.allowed = allowed


class UnknownSku(CartError):
    """No product is sold under this SKU, or not any more."""

    code = "unknown_sku"

    def __init__(self, sku: str) -> None:
        super().__init__("This is not for sale.")
        self.sku = sku


class InvalidQuantity(CartError):
    """Not a whole number in the allowed range, or the sum is not."""

    code = "invalid_quantity"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"Choose a whole number up to {maximum}.")
        self.maximum = maximum


class TooManyLines(CartError):
    """The cart has `maximum` lines."""

    code = "too_many_lines"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"A cart holds {maximum} different items; remove one first.")
        self.maximum = maximum


class TooManyPromos(CartError):
    """More than `PROMOS_MAX` codes, or text that cannot be a code."""

    code = "promo_invalid"

    def __init__(self) -> None:
        super().__init__("This is not a promo code, or there are too many.")
