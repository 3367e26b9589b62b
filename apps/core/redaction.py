"""Keeps secrets, card numbers and personal data out of the logs.

An error of PostgreSQL says which constraint was violated, and then by which row: "Key
(email)=(alice@example.com) already exists", "Failing row contains (…)", the piece of the statement
around a mistake. Django's errors contain that text. The first line is kept, the values are removed.
"""

import logging
import re

# 13 to 19 digits, in groups or not: what a card number looks like in any text.
CARD_NUMBER = re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])")
SECRET = re.compile(
    r"\b(?:sk|rk)_(?:test|live)_\w+|\bwhsec_\w+|\bpi_\w+_secret_\w+|\beyJ[\w.-]{20,}"
    # Passwords' hashes, as Django writes them.
    r"|\b(?:argon2|pbkdf2_\w+|bcrypt\w*|scrypt)\$[^\s'\")]+"
)
# Strangers write some of the text (paths of 60 KB). Each pattern can begin at few places only, or
# is bounded; otherwise one line would take minutes.
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b")
# libpq's fields after the first line, up to the next one or to what Python writes after an error.
# A value may hold line breaks, so that a field does not end with its line. `\\n`: inside a repr().
_FIELD = r"(?:DETAIL|HINT|QUERY|CONTEXT|STATEMENT):  |LINE \d+: "
_BEGINS = r"(?:(?<![A-Za-z])|(?<=\\n))"
_PYTHON = r"The above exception was|During handling of|Traceback \(most recent"
DATABASE_VALUES = re.compile(
    rf"{_BEGINS}(?P<field>(?:DETAIL|QUERY|CONTEXT|STATEMENT):  |LINE \d+: ).*?"
    rf"(?=(?:\n|\\n)(?:{_FIELD}|\n?(?:{_PYTHON}))|\Z)",
    re.DOTALL,
)
DATABASE_INPUT = re.compile(
    r"(?P<prefix>\binvalid input (?:syntax for type|value for enum) [\w ]{1,60}: "
    r"|\bdate/time field value out of range: "
    r'|\bvalue (?=".{0,2000}?" is out of range))"'
    r""".{0,2000}?"(?=\n|\\n|'| is out of range|$)""",
    re.MULTILINE,
)


def redact(text: str) -> str:
    """`text` without secrets, card numbers, e-mail addresses and values of the database's rows."""
    text = DATABASE_VALUES.sub(r"\g<field>[withheld]", text)
    text = DATABASE_INPUT.sub(r"\g<prefix>[withheld]", text)
    return CARD_NUMBER.sub("[number]", EMAIL.sub("[e-mail]", SECRET.sub("[secret]", text)))


class RedactFilter(logging.Filter):
    """Redacts each record's finished message, its traceback and its stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # A wrong format string must not fail a checkout: nothing catches an error raised here.
            message = f"{record.msg} {record.args!r}"
        record.msg = redact(message)
        record.args = ()
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True
