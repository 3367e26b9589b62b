"""The shop's own van: labels without an outside call.

A tracking number is `KP`, 16 characters made from the order's id, and a check character, so that a
mistyped number is noticed before anyone searches for it:

    KP 3V27MHKAW0JKMGCC B        (without the spaces)

The 16 characters are 80 bits of a hash: the same order gets the same number on every try,
two orders get the same one once in 10²⁴ pairs, and nobody can read the order's id out of it.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from apps.shipping.carriers.interface import Label, LabelRequest

PREFIX = "KP"
# Crockford's base 32: no I, L, O or U, which people take for 1, 0 and V.
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LENGTH = len(PREFIX) + 16 + 1


class LocalCarrier:
    """Fits `interface.Carrier`."""

    code = "local"
    name = "Kettle & Pine van"

    def labels(self, requests: Sequence[LabelRequest], *, today: date) -> dict[UUID, Label]:
        return {
            request.order_id: Label(
                tracking_number=tracking_number(request.order_id),
                estimated_from=business_days_after(today, request.min_days),
                estimated_to=business_days_after(today, request.max_days),
            )
            for request in requests
        }

    def void(self, tracking_numbers: Sequence[str]) -> None:
        """Nobody to tell: the van collects what stands as labelled in our own table."""


def tracking_number(order_id: UUID) -> str:
    """The number of an order's parcel, always the same."""
    digest = hashlib.blake2b(order_id.bytes, digest_size=10, person=b"kettle-and-pine").digest()
    value = int.from_bytes(digest)
    characters = "".join(_BASE32[value >> shift & 31] for shift in range(75, -1, -5))
    body = PREFIX + characters
    return body + check_character(body)


def is_tracking_number(text: str) -> bool:
    """Whether `text` is a number this carrier could have given out: form and check character."""
    return (
        len(text) == _LENGTH
        and text.startswith(PREFIX)
        and all(character in _BASE36 for character in text)
        and check_character(text[:-1]) == text[-1]
    )


def check_character(body: str) -> str:
    """ISO 7064 MOD 37,36: notices every wrong character and nearly every swapped pair."""
    product = 36
    for character in body:
        total = (product + _BASE36.index(character)) % 36 or 36
        product = total * 2 % 37
    return _BASE36[(37 - product) % 36]


def business_days_after(start: date, days: int) -> date:
    """`days` working days (Monday to Friday) after `start`; 0 is `start`, or the Monday after."""
    day = start
    while day.weekday() >= 5 and days == 0:
        day += timedelta(days=1)
    for _ in range(days):
        day += timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
    return day
