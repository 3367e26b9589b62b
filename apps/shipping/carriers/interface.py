"""What the shop asks of a carrier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """A parcel to be labelled. `order_id` is the carrier's idempotency key."""

    order_id: UUID
    number: str
    service: str
    min_days: int
    max_days: int
    address: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Label:
    """What the carrier answered; the estimate is two business days, both included."""

    tracking_number: str
    estimated_from: date
    estimated_to: date


class Carrier(Protocol):
    """Both calls are safe to repeat: the saga runs any step twice."""

    code: str
    name: str  # for shoppers

    def labels(self, requests: Sequence[LabelRequest], *, today: date) -> dict[UUID, Label]:
        """One label per order; the same order always gets the same tracking number."""

    def void(self, tracking_numbers: Sequence[str]) -> None:
        """These parcels will not be handed over; unknown or voided ones are no error."""
