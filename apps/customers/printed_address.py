"""An address as it is printed: its parts in the order of its country.

For mails, pages, the back office and the labels of parcels. The order is that of
apps/core/postal_data.py: `97214` stands behind the city in Portland, before it in Berlin, and a
Japanese address begins with it, unless it is written in Latin letters. A part for which the
country's order has no place is printed all the same: nothing that was typed is lost.
"""

import re
from collections.abc import Mapping
from functools import cache

from apps.core import postal_data
from apps.customers import countries

_PARTS = {"N": "name", "A": "street", "C": "city", "S": "region", "Z": "postal_code"}
# Letters of scripts that are written in the country's own order, not in `lfmt`.
_NOT_LATIN = re.compile("[\u0370-\u1dff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_SEPARATORS = " ,-/"
Line = tuple[str, ...]  # of a format: fields as "%C", and what stands between them


def lines(address: Mapping[str, str], *, country: bool = True) -> list[str]:
    """The lines of `address` (keys of addresses.FIELDS; absent ones are empty).

    The telephone number is not among them. `country`: whether its English name is the last line.
    """
    code = address.get("country", "")
    values = {letter: address.get(part, "") for letter, part in _PARTS.items()}
    street = [address[part] for part in ("line1", "line2") if address.get(part)]
    values["A"] = "\n".join(street)
    latin = not _NOT_LATIN.search("".join(values.values()))
    printed: list[str] = []
    for line in _format(code, latin):
        printed += _line(line, values, latin=latin).split("\n")
    printed = [line for line in printed if line]
    if country and code:
        printed.append(countries.names().get(code, code))
    return printed


@cache
def _format(country: str, latin: bool) -> tuple[Line, ...]:
    """The lines of a country's format, with a place for each part that we ask for."""
    data = postal_data.country(country)
    text = data.get("lfmt", data["fmt"]) if latin else data["fmt"]
    found: list[Line] = [
        tuple(part for part in re.split("(%[A-Z])", line) if part) for line in text.split("%n")
    ]
    # Where the name comes last, the large comes before the small.
    large_first = _place_of("N", found) > _place_of("A", found)
    for letter, beside in (("C", "A"), ("S", "C"), ("Z", "C")):
        if not any(f"%{letter}" in line for line in found):
            place = _place_of(beside, found) + (0 if large_first else 1)
            found.insert(place, (f"%{letter}",))
    return tuple(found)


def _place_of(letter: str, format_: list[Line]) -> int:
    return next(place for place, line in enumerate(format_) if f"%{letter}" in line)


def _line(line: Line, values: Mapping[str, str], *, latin: bool) -> str:
    """One line; what stands before a part is left out where the part is empty, or says the same."""
    printed, between = "", ""
    for part in line:
        value = values.get(part.removeprefix("%"), "") if part.startswith("%") else ""
        if not part.startswith("%"):
            said = part.strip(_SEPARATORS).casefold()
            between = "" if said and said in map(str.casefold, values.values()) else part
        elif not value:
            between = ""
        else:
            if not printed:
                between = between.lstrip(_SEPARATORS)
            elif not between and latin:
                between = " "
            printed, between = printed + between + value, ""
    return printed
