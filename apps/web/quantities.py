"""Reading a quantity from a form: a whole number in ASCII digits."""

import re

from apps.cart.carts import QUANTITY_MAX

WHOLE = re.compile(r"\d{1,9}", re.ASCII)


class NotAQuantity(Exception):
    """The text is not a number of pieces that can be bought; the message is for the shopper."""


def read_quantity(text: str, *, at_least: int) -> int:
    """`text` as a number from `at_least` to QUANTITY_MAX; raises NotAQuantity.

    "1e9", "1.5", "-1", "٣" and "" are refused.
    """
    stripped = text.strip()
    number = int(stripped) if WHOLE.fullmatch(stripped) else -1
    if not at_least <= number <= QUANTITY_MAX:
        raise NotAQuantity(f"Choose a whole number from {at_least} to {QUANTITY_MAX}.")
    return number
