"""Order numbers as people read them out: `KP-7Q4M2XA`.

A sequence number, scattered by a multiplication that is one-to-one over the 7-digit range, in
Crockford's base 32 (no I, L, O, U to misread). Numbers do not tell how many orders a shop has.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DIGITS = 7
RANGE = 32**DIGITS  # 34 thousand million numbers, then 8 digits are due
FACTOR = 25_214_903_917  # odd, hence coprime to 2**35: no two numbers meet
PREFIX = "KP-"


def order_number(sequence: int) -> str:
    """The number of the `sequence`-th order; different for every one below RANGE."""
    if not 0 < sequence < RANGE:
        raise ValueError(f"order sequence {sequence} is out of range")
    scattered = sequence * FACTOR % RANGE
    digits = []
    for _ in range(DIGITS):
        scattered, digit = divmod(scattered, 32)
        digits.append(ALPHABET[digit])
    return PREFIX + "".join(reversed(digits))
