"""From the file's bytes to its text: which encoding, and what stands between the cells."""

import codecs
import csv
from collections.abc import Sequence
from typing import IO

from apps.catalog.shopify_csv.columns import CANONICAL
from apps.catalog.shopify_csv.sheet import SURROGATE, NotAProductCsv, Repair

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def text_of(stream: IO[bytes] | IO[str]) -> tuple[str, list[Repair]]:
    """The text of the file, and a note when it is not UTF-8. Raises NotAProductCsv for UTF-16."""
    content = stream.read()
    if isinstance(content, str):
        return content.removeprefix("\ufeff"), []
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotAProductCsv("the file is UTF-16; save it as CSV UTF-8")
    # Bytes that are not UTF-8 become lone surrogates: their row is refused, not the file.
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    broken = len(SURROGATE.findall(text))
    # A UTF-8 file with a few damaged bytes has more characters that are whole than broken ones.
    if broken and broken >= sum(character > "\x7f" for character in text) - broken:
        try:
            became = "not UTF-8; read as Windows-1252"
            return content.decode("cp1252"), [Repair(1, "", "", became)]
        except UnicodeDecodeError:
            pass  # some byte means nothing there
    return text, []


def delimiter_of(lines: Sequence[str]) -> str:
    """What stands between the cells: that of DELIMITERS which makes the most known columns."""

    def known_columns(delimiter: str) -> int:
        try:
            header = next(csv.reader(lines[:1], delimiter=delimiter), [])
        except csv.Error:
            return 0
        return sum(cell.strip().lower() in CANONICAL for cell in header)

    return max(DELIMITERS, key=known_columns)


def skip_separator_line(lines: Sequence[str]) -> int:
    """How many lines stand before the header: Excel may write `sep=;` there."""
    return 1 if lines and lines[0].strip().lower().startswith("sep=") else 0
