"""Parses request bodies: one JSON object, strictly, or a Problem.

Strict, because two programs that are lenient can read one body differently: a proxy that takes the
first of two `quantity` fields and a server that takes the second handle different orders. What is
refused here is refused before a view, a log line or the database sees it.
"""

import json
import math
import re
from typing import Any, NoReturn

from rest_framework.parsers import BaseParser

from apps.core import card_data, clean_text
from apps.core.problems import Problem

BODY_MAX = 64 * 1024  # bytes; a checkout of a hundred lines has 8 KB
DEPTH_MAX = 16  # levels; the deepest body of the contract has three
# The closing quote is optional: an open string runs to the end. If the pattern required the quote,
# a body of many quotes would take quadratic time.
BRACKETS_OUTSIDE_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|([\[{])|([\]}])', re.DOTALL)


class StrictJSONParser(BaseParser):
    """UTF-8 JSON object of at most 64 KB; no duplicate fields, NaN, NUL or card numbers."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict:
        request = (parser_context or {}).get("request")
        declared = request.META.get("CONTENT_LENGTH") if request is not None else None
        if declared and declared.isdigit() and int(declared) > BODY_MAX:
            _too_large()
        body = stream.read(BODY_MAX + 1)
        if len(body) > BODY_MAX:
            _too_large()
        return read_object(body)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises Problem 400 `malformed_body` or `card_data_refused`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _malformed("The body is not UTF-8.")
    if text.count("{") + text.count("[") > DEPTH_MAX and _depth(text) > DEPTH_MAX:
        _malformed(f"The body nests deeper than {DEPTH_MAX} levels.")
    try:
        value = _decode(text)
    except (ValueError, RecursionError) as error:
        # Without the decoder's message, which can quote the body.
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        _malformed(f"The body is not valid JSON{place}.")
    if not isinstance(value, dict):
        _malformed("The body must be a JSON object.")
    # The walk is slow and rarely needed: an escape may spell a character that must not be stored,
    # or hide a digit of a card number.
    escaped = "\\u" in text
    if escaped or card_data.SUSPICIOUS.search(clean_text.code(text)):
        _walk(value, field="")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _malformed("A field appears twice in one object.")
    if card_data.names_card_data(fields):
        _card_data()
    return fields


def _no_constant(name: str) -> NoReturn:
    _malformed(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _malformed("A number is out of range.")
    return number


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
).decode


def _walk(value: Any, *, field: str) -> None:
    """Refuse NUL, lone surrogates and card numbers, in values and in field names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _text(name, field="")
            _walk(inner, field=card_data.plain(name))
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, field=field)
    elif isinstance(value, str):
        _text(value, field=field)
    elif isinstance(value, int | float):
        digits = str(value).removesuffix(".0")
        # Not 4.393340658571002: the point is no separator of a card's groups.
        if digits.isdigit() and card_data.is_card_number(digits):
            _card_data()


def _text(text: str, *, field: str) -> None:
    if "\x00" in text:
        _malformed("The body holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        _malformed("The body holds half a character (a lone surrogate).")
    if card_data.is_card_number(text, field=field):
        _card_data()


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in BRACKETS_OUTSIDE_STRINGS.finditer(text):
        if match.group(1):
            depth += 1
            deepest = max(deepest, depth)
        elif match.group(2):
            depth -= 1
    return deepest


def _malformed(detail: str) -> NoReturn:
    raise Problem(400, "malformed_body", detail)


def _too_large() -> NoReturn:
    raise Problem(413, "too_large", f"A body may have {BODY_MAX} bytes.")


def _card_data() -> NoReturn:
    raise Problem(
        400,
        "card_data_refused",
        "Card data must go to the payment provider, not here. Nothing was stored.",
    )
