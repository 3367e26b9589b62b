"""Keeps secrets and card numbers out of the logs."""

import logging
import re

# 13 to 19 digits, in groups or not: what a card number looks like wherever it stands.
CARD_NUMBER = re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])")
SECRET = re.compile(
    r"\b(?:sk|rk)_(?:test|live)_\w+|\bwhsec_\w+|\bpi_\w+_secret_\w+|\beyJ[\w.-]{20,}"
)


def redact(text: str) -> str:
    """`text` without Stripe secrets, client secrets, bearer tokens and card numbers."""
    return CARD_NUMBER.sub("[number]", SECRET.sub("[secret]", text))


class RedactFilter(logging.Filter):
    """Redacts each record's finished message, its traceback and its stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # A slip in a log line must not turn an order away: raised here, nobody catches it.
            message = f"{record.msg} {record.args!r}"
        record.msg = redact(message)
        record.args = ()
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True
