"""Postal codes: which countries need one, how it is written, whether it fits the region.

The rules are those of apps/core/postal_data.py. A code is refused for its form only where it says
something about the tax (taxes.regions.DECIDES_TAX): elsewhere the data may be older than the post's
own rules, and the carrier can still find a street.
"""

import re
from functools import cache

from apps.core import clean_text, postal_data
from apps.taxes.regions import DECIDES_TAX

# The data asks for one here, but letters arrive without, and most people write none.
_OPTIONAL = frozenset({"TW"})
# Also those that share the ZIP codes of the United States: with the country "PR" an address in
# California would pay no tax, and be delivered.
_CHECKED = DECIDES_TAX | {"AS", "FM", "GU", "MH", "MP", "PR", "PW", "UM", "VI"}


@cache
def is_required(country: str) -> bool:
    """Whether an address in `country` (ISO code) is incomplete without a postal code."""
    return "Z" in postal_data.country(country)["require"] and country not in _OPTIONAL


def tidy(country: str, text: str) -> str:
    """The code as the country's post writes it, as far as that is certain: K1A 0B1, 97201-1234."""
    code = clean_text.ascii_digits(text).upper()
    if country == "US" and (found := re.fullmatch(r"(\d{5})[ -]?(\d{4})", code)):
        return f"{found[1]}-{found[2]}"
    if country == "CA" and (found := re.fullmatch(r"([A-Z]\d[A-Z])[ -]?(\d[A-Z]\d)", code)):
        return f"{found[1]} {found[2]}"
    # Of a prefix for post from abroad, which is printed anyway: CH-8001, L-1009.
    prefix = postal_data.country(country).get("postprefix", "").strip(" -")
    rest = code.removeprefix(prefix).lstrip(" -") if prefix else code
    return rest if rest[:1].isdigit() else code


def is_possible(country: str, code: str) -> bool:
    """Whether `code` (tidy) can be one of `country`; True where its form tells nothing of tax."""
    return country not in _CHECKED or _of_country(country).fullmatch(code) is not None


def contradicts(country: str, region: str, code: str) -> str:
    """The name of another region to which `code` (tidy) belongs; "" where it fits `region`.

    `region` is a code of taxes.regions. "" as well for a postal code of no region that is known.
    """
    patterns = _of_regions(country)
    if region not in patterns or patterns[region].match(code):
        return ""
    names = {one.code: one.names for one in postal_data.regions(country)}
    return next((names[r][0] for r, known in patterns.items() if known.match(code)), "")


@cache
def _of_country(country: str) -> re.Pattern[str]:
    return re.compile(postal_data.country(country)["zip"])


@cache
def _of_regions(country: str) -> dict[str, re.Pattern[str]]:
    if country not in DECIDES_TAX:
        return {}
    found = {one.code: one.postal_codes for one in postal_data.regions(country)}
    return {region: re.compile(pattern) for region, pattern in found.items() if pattern}
