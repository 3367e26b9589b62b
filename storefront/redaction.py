"""Keeps secrets and card numbers out of the logs."""

import logging
import re

# 13 to 19 digits, in groups or not: what a card number looks like wherever it stands.
CARD_NUMBER = re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])")
SECRET = re.compile(
    r"\b(?:sk|rk)_(?:test|live)_\w+|\bwhsec_\w+|\bpi_\w+_secret_\w+|\beyJ[\w.-]{20,}"
)


def luhn(digits: str) -> bool:
    """Whether `digits` ends with a valid check digit (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def holds_card_number(text: str) -> bool:
    """Whether a card number stands anywhere in `text`."""
    for match in CARD_NUMBER.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(set(digits)) > 1 and luhn(digits):
            return True
    return False


def redact(text: str) -> str:
    """`text` without Stripe secrets, client secrets, bearer tokens and card numbers."""
    return CARD_NUMBER.sub("[number]", SECRET.sub("[secret]", text))


class RedactFilter(logging.Filter):
    """Redacts each record's finished message, and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True
