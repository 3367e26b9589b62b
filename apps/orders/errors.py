"""Why a checkout or a request about an order is refused. Pages and API turn these into answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from apps.inventory.allocation import ShortLine

if TYPE_CHECKING:
    from apps.orders.intake.quote import Quote, QuoteProblem


class NotAccepted(Exception):
    """A checkout that made no order. Nothing is written, nothing is held."""


class SignedOut(NotAccepted):
    """The account is closed, or its password has changed since its token was issued."""


class OutOfStock(NotAccepted):
    """Units of some lines are not available; `lines` are those, each with what is left."""

    def __init__(self, lines: tuple[ShortLine, ...]) -> None:
        super().__init__("out of stock: " + ", ".join(line.sku for line in lines))
        self.lines = lines


class PriceChanged(NotAccepted):
    """The total that the client expects is not today's; `quote` has today's."""

    def __init__(self, quote: "Quote") -> None:
        super().__init__("the total has changed")
        self.quote = quote


class NotQuotable(NotAccepted):
    """A line, promo or address for which no order can be made; see `problems`."""

    def __init__(self, problems: "tuple[QuoteProblem, ...]") -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class TooManyUnpaid(NotAccepted):
    """This customer, or this network address, holds too many units that are not paid yet."""

    retry_after = 30  # seconds; paying takes most shoppers less

    def __init__(self, message: str) -> None:
        super().__init__(message)


class CartAlreadyOrdered(NotAccepted):
    """This cart has a live order under another key."""

    def __init__(self, order_id: UUID, number: str) -> None:
        super().__init__(f"this cart was ordered as {number}")
        self.order_id, self.number = order_id, number


class IdempotencyInFlight(NotAccepted):
    """The first request with this key has not answered yet."""

    retry_after = 1


class IdempotencyKeyReused(NotAccepted):
    """The same idempotency key with another body."""


@dataclass
class Overloaded(NotAccepted):
    """Refused because of load, before anything was written. `retry_after` in seconds."""

    retry_after: int = 1


@dataclass
class OutcomeUnknown(Exception):
    """The connection was lost during COMMIT. A retry with the same key answers what happened.

    `retry_after` in seconds.
    """

    retry_after: int = 2


class OrderNotFound(Exception):
    """No such order, or it belongs to another customer."""


class NotCancellable(Exception):
    """The goods have left, or the order is over."""


class NotPayable(Exception):
    """The order does not wait for another card: it is paid or over, or its time is."""


class ReturnRefused(Exception):
    """Not delivered, or more than was bought; `errors` are (field, code, message)."""

    def __init__(self, errors: list[tuple[str, str, str]]) -> None:
        super().__init__("; ".join(message for _, _, message in errors))
        self.errors = errors


class WrongUnits(Exception):
    """A return cannot be decided so. `line`: the id of the return's line at fault, or ""."""

    def __init__(self, line: int | str, message: str) -> None:
        super().__init__(message)
        self.line = line


class StillOpen(Exception):
    """An order that would hold something for ever if its case were closed; `what`, in words."""

    def __init__(self, what: list[str]) -> None:
        super().__init__("; ".join(what))
        self.what = what


class NotInReview(Exception):
    """The order is not in the review queue, so there is nothing to decide."""
