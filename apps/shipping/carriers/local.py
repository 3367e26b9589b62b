"""The shop's own delivery: labels without an external call.

A tracking number is `KP`, 16 characters made from the order's id, and a check character, so that a
mistyped number is found before anyone searches for it:

    KP 3V27MHKAW0JKMGCC B        (without the spaces)

The 16 characters are 80 bits of a hash: the same order gets the same number on every try,
two orders get the same one once in 10²⁴ pairs, and the order's id cannot be read from it.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from apps.shipping.carriers.interface import Label, LabelRequest

PREFIX = "KP"
# Crockford's base 32: without I, L, O and U, which people confuse with 1, 0 and V.
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class LocalCarrier:
    """Implements `interface.Carrier`."""

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
        """Nothing to do: the shop's own delivery collects what is labelled in our own table."""


def tracking_number(order_id: UUID) -> str:
    """The tracking number of an order's parcel; always the same for one order."""
    digest = hashlib.blake2b(order_id.bytes, digest_size=10, person=b"kettle-and-pine").digest()
    value = int.from_bytes(digest)
    characters = "".join(_BASE32[value >> shift & 31] for shift in range(75, -1, -5))
    body = PREFIX + characters
    return body + check_character(body)


def check_character(body: str) -> str:
    """ISO 7064 MOD 37,36: detects every wrong character and nearly every swapped pair."""
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
