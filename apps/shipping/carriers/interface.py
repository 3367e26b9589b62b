"""The interface of a carrier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from apps.customers import printed_address


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """A parcel to label. `order_id` is the carrier's idempotency key; days are business days.

    `address` has the parts; `address_lines` are those of the label, in the order of the country.
    """

    order_id: UUID
    number: str
    service: str
    min_days: int
    max_days: int
    address: Mapping[str, str]

    @property
    def address_lines(self) -> list[str]:
        return printed_address.lines(self.address)


@dataclass(frozen=True, slots=True)
class Label:
    """The carrier's answer; the estimate is a range of dates, both included."""

    tracking_number: str
    estimated_from: date
    estimated_to: date


class Carrier(Protocol):
    """Both calls are safe to repeat: the saga may run a step twice."""

    code: str
    name: str  # for shoppers

    def labels(self, requests: Sequence[LabelRequest], *, today: date) -> dict[UUID, Label]:
        """One label per order; the same order always gets the same tracking number."""

    def void(self, tracking_numbers: Sequence[str]) -> None:
        """Cancel these labels; unknown or already voided ones are no error."""
