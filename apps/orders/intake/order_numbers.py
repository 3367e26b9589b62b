"""Order numbers as people read them aloud: `KP-7Q4M2XA`.

A sequence number is multiplied by a constant, one-to-one over the 7-digit range, and written in
Crockford's base 32 (no I, L, O, U, which are easily misread). So the numbers do not tell how many
orders a shop has.
"""

import time
from uuid import UUID

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DIGITS = 7
RANGE = 32**DIGITS  # 34 thousand million numbers; beyond, 8 digits are needed
FACTOR = 25_214_903_917  # odd, hence coprime to 2**35: no two sequence numbers give one number
PREFIX = "KP-"


def order_number(sequence: int) -> str:
    """The number of the `sequence`-th order; different for every sequence number below RANGE."""
    if not 0 < sequence < RANGE:
        raise ValueError(f"order sequence {sequence} is out of range")
    scattered = sequence * FACTOR % RANGE
    digits = []
    for _ in range(DIGITS):
        scattered, digit = divmod(scattered, 32)
        digits.append(ALPHABET[digit])
    return PREFIX + "".join(reversed(digits))


def oldest_id(seconds: float) -> UUID:
    """A UUID not greater than any order id of the last `seconds`: ids are UUIDv7 (RFC 9562)."""
    return UUID(int=int((time.time() - seconds) * 1000) << 80)
