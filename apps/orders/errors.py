"""Why an order was not taken, or a wish about it not granted. Faces turn these into answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from apps.inventory.allocation import ShortLine

if TYPE_CHECKING:
    from apps.orders.quote import Quote, QuoteProblem


class NotAccepted(Exception):
    """A checkout that made no order. Nothing was written, nothing is held."""


class SignedOut(NotAccepted):
    """The account was closed, or has another password than when its token was given out."""


class OutOfStock(NotAccepted):
    """Some line cannot be held; each with what is left."""

    def __init__(self, lines: tuple[ShortLine, ...]) -> None:
        super().__init__("out of stock: " + ", ".join(line.sku for line in lines))
        self.lines = lines


class PriceChanged(NotAccepted):
    """The client's expected total is not today's; `quote` is."""

    def __init__(self, quote: "Quote") -> None:
        super().__init__("the total has changed")
        self.quote = quote


class NotQuotable(NotAccepted):
    """A line, promo or address for which no order can be made; see `problems`."""

    def __init__(self, problems: "tuple[QuoteProblem, ...]") -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class CartAlreadyOrdered(NotAccepted):
    """This cart has a live order under another key."""

    def __init__(self, order_id: UUID, number: str) -> None:
        super().__init__(f"this cart was ordered as {number}")
        self.order_id, self.number = order_id, number


class IdempotencyInFlight(NotAccepted):
    """The first request with this key has not answered yet."""

    retry_after = 1


class IdempotencyKeyReused(NotAccepted):
    """Same key, other body."""


@dataclass
class Overloaded(NotAccepted):
    """Shed before anything was written."""

    retry_after: int = 1


@dataclass
class OutcomeUnknown(Exception):
    """The database went away while committing: the same key, again, tells what became of it."""

    retry_after: int = 2


class OrderNotFound(Exception):
    """No such order, or not this person's."""


class NotCancellable(Exception):
    """The goods have left, or the order is over."""


class ReturnRefused(Exception):
    """Not delivered, or more than was bought; `errors` are (field, code, message)."""

    def __init__(self, errors: list[tuple[str, str, str]]) -> None:
        super().__init__("; ".join(message for _, _, message in errors))
        self.errors = errors


class StillOpen(Exception):
    """An order that would keep something for ever if its case were closed; `what`, in words."""

    def __init__(self, what: list[str]) -> None:
        super().__init__("; ".join(what))
        self.what = what


class NotInReview(Exception):
    """Only an order in the review queue can be decided about."""
