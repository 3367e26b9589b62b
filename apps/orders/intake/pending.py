"""A checkout on its way through the intake: the request, and what came of it."""

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from apps.customers.mailbox import mailbox_of
from apps.orders.intake.checkout_request import CheckoutRequest
from apps.orders.intake.quote import Quote


@dataclass(frozen=True, slots=True)
class Accepted:
    """A promise: the order is on disk and its units are held. `answer` is the body of the 202."""

    order_id: UUID
    answer: dict[str, Any]
    replayed: bool = False


class Stage(Enum):
    """Where a waiting checkout is; changes under the intake's lock."""

    QUEUED = "queued"
    COMMITTING = "committing"
    WITHDRAWN = "withdrawn"


Outcome = Accepted | Exception
Outcomes = dict[UUID, Outcome]  # by order id; a checkout without one goes on


@dataclass(slots=True, eq=False)
class Pending:
    """A checkout in the intake, and the thread that waits for its outcome.

    `order_id` is the id that the order gets if it is accepted.
    """

    request: CheckoutRequest
    order_id: UUID
    mailbox: str = field(init=False)  # identifies the customer of a guest's order
    quote: Quote | None = None  # set when the batch is priced
    number: str = ""  # set when the order is written
    stage: Stage = Stage.QUEUED
    outcome: Outcome | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.mailbox = mailbox_of(self.request.email)

    @property
    def key(self) -> tuple[str, str]:
        """(scope, key): under this pair an order is made once."""
        return self.request.scope, self.request.key

    @property
    def priced(self) -> Quote:
        """The quote; raises ValueError before the batch is priced."""
        if self.quote is None:
            raise ValueError("not priced yet")
        return self.quote

    def answer(self, outcome: Outcome) -> None:
        """Set the outcome and wake the thread that waits for it."""
        self.outcome = outcome
        self.answered.set()
