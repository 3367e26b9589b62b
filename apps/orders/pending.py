"""A checkout on its way through the intake: what was asked, and what came of it."""

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from apps.orders.quote import Quote


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A checkout as a face understood it.

    `scope` is `user:<id>` or `guest`; `fingerprint` is the SHA-256 of the whole body, 32 bytes.
    `expected_total` is (minor units, currency) as the client believes it, or None. `tickets` are
    of flash sales' waiting rooms. A `password_digest` is that of the token which says that this is
    `user_id`, and is held against the account when the order is written; without one, whoever asks
    has looked already.
    """

    scope: str
    key: str
    fingerprint: bytes
    lines: tuple[tuple[str, int], ...]
    email: str
    shipping_address: dict[str, Any]
    shipping_method: str
    payment_method: str
    user_id: int | None = None
    cart_id: UUID | None = None
    promo_codes: tuple[str, ...] = ()
    billing_address: dict[str, Any] | None = None
    expected_total: tuple[int, str] | None = None
    base_url: str = ""
    tickets: tuple[str, ...] = ()
    password_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A promise: the order is on disk and its units are held. `answer` is the 202's body."""

    order_id: UUID
    answer: dict[str, Any]
    replayed: bool = False


class Stage(Enum):
    """Where a waiting checkout is; moves under the intake's lock."""

    QUEUED = "queued"
    COMMITTING = "committing"
    WITHDRAWN = "withdrawn"


@dataclass(slots=True, eq=False)
class Pending:
    """A checkout on its way through the intake, and the thread that waits for it."""

    request: CheckoutRequest
    order_id: UUID
    quote: Quote | None = None  # once the batch is priced
    number: str = ""
    stage: Stage = Stage.QUEUED
    outcome: Accepted | Exception | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> tuple[str, str]:
        return self.request.scope, self.request.key

    @property
    def priced(self) -> Quote:
        """The quote, where the batch has been priced already."""
        if self.quote is None:
            raise ValueError("not priced yet")
        return self.quote

    def answer(self, outcome: Accepted | Exception) -> None:
        self.outcome = outcome
        self.answered.set()
