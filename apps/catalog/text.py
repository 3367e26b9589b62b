"""Cleans texts that come from files and forms, and makes ASCII slugs of them.

One set of rules for every door: the importer calls these for each cell, the admin for each field.
"""

import hashlib
import re

from anyascii import anyascii
from django.utils.text import slugify

from apps.backoffice.csv_export import EXECUTED
from apps.core import clean_text

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
SLUG = re.compile(r"[-a-zA-Z0-9_]+")


def one_line(text: str) -> str:
    """`text` without control and invisible characters, its white space single spaces."""
    return clean_text.line(clean_text.without_controls(text))


def code(text: str) -> str:
    """A SKU or a barcode: one line, without the apostrophe that keeps a spreadsheet from rounding.

    Spreadsheets write `'0081234` so that it stays a text; the apostrophe is theirs.
    """
    return one_line(text).removeprefix("'").strip()


def unquoted(text: str) -> str:
    """`text` without the apostrophe that our own exports put before what looks like a formula."""
    rest = text[1:]
    return rest if text[:1] == "'" and rest.lstrip(" ").startswith(EXECUTED) else text


def ascii_slug(text: str, *, most: int) -> str:
    """`text` in letters a-z, digits, `-` and `_`; other scripts are transliterated. May be empty.

    `tasse-à-thé` becomes `tasse-a-the`, `水差し` becomes `shuichashi`.
    """
    if SLUG.fullmatch(text):
        return text.lower()[:most]
    return slugify(anyascii(text))[:most].strip("-_")


def digest(*parts: str) -> str:
    """Eight hexadecimal digits, always the same for the same `parts`."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]
