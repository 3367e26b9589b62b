"""Which region a shopper means: "California", "Calif.", "State of California", "CA 94105", "CA".

Without it an order to "Cali" would pay no tax where one to "CA" does. Where the region decides the
tax (`DECIDES_TAX`) only known regions are taken, under their code; a letter of another alphabet
that looks like a Latin one is unknown. Elsewhere a region is what was typed, and two spellings of
one that the data knows are equal. Codes and names: apps/core/postal_data.py; here are only
the spellings that it lacks.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from apps.core import clean_text, postal_data

# Sales tax differs by state or province, and the carriers refuse a label without it.
DECIDES_TAX = frozenset({"US", "CA"})

# Beside codes and names: the abbreviations of the GPO's style manual and of Canada Post from before
# the two letters, and what people call a place.
_ALSO = {
    "US": {
        "AL": "Ala", "AK": "Alas", "AZ": "Ariz", "AR": "Ark", "CA": "Calif, Cal, Cali",
        "CO": "Colo", "CT": "Conn", "DE": "Del", "DC": "Washington DC, Wash DC", "FL": "Fla",
        "ID": "Ida", "IL": "Ill", "IN": "Ind", "KS": "Kan, Kans", "MA": "Mass", "MI": "Mich",
        "MN": "Minn", "MS": "Miss", "MT": "Mont", "NE": "Neb, Nebr", "NV": "Nev",
        "NH": "N Hampshire", "NJ": "N Jersey", "NM": "N Mexico, N Mex, New Mex",
        "NY": "N York", "NC": "N Carolina, N Car, No Car", "ND": "N Dakota, N Dak, No Dak",
        "OK": "Okla", "OR": "Ore, Oreg", "PA": "Penn, Penna",
        "RI": "Rhode Island and Providence Plantations", "SC": "S Carolina, S Car, So Car",
        "SD": "S Dakota, S Dak, So Dak", "TN": "Tenn", "TX": "Tex", "WA": "Wash",
        "WV": "W Virginia, W Va", "WI": "Wis, Wisc", "WY": "Wyo",
        "VI": "US Virgin Islands, USVI", "MP": "CNMI", "FM": "Federated States of Micronesia",
        "AA": "Armed Forces Americas", "AE": "Armed Forces Europe", "AP": "Armed Forces Pacific",
    },
    "CA": {
        "AB": "Alta", "MB": "Man", "NL": "NF, Nfld, Newfoundland, Labrador",
        "NT": "NWT, TNO", "ON": "Ont", "PE": "PEI", "QC": "Que, PQ", "SK": "Sask", "YT": "Yuk, YK",
    },
}  # fmt: skip
# What stands around a region's name and says nothing more.
_TITLE = re.compile(
    r"^(?:the )?(?:state|commonwealth|province|territory) of |^(?:province|territoire) d[eu] "
)
_KIND = re.compile(r" (?:state|province|territory|prov)$")
_COUNTRY = {
    "US": re.compile(r"\b(?:united states(?: of america)?|u\.?s\.?a\.?|us)\b\.?"),
    "CA": re.compile(r"\bcanada\b"),
}
_POSTAL_CODE = {
    "US": re.compile(r"\b\d{5}(?:[- ]?\d{4})?\b"),
    "CA": re.compile(r"\b[a-z]\d[a-z][ -]?\d[a-z]\d\b"),
}
# ISO 3166-2 writes the country first: "US-CA", "CA-ON".
_ISO = re.compile(r"^([a-z]{2})-([a-z]{2,3})$")
_PARTS = re.compile(r"[(),;/|\[\]]| - ")


def known(country: str, region: str) -> str | None:
    """The code of `region` ("CA"), as the data has it; None where it has no such region.

    `country` is an ISO code in capitals. Parts in brackets or behind commas must mean the same
    region: "California (CA)" is known, "California (NY)" is not.
    """
    return _known(country, region[:100])


def tax_is_known(country: str, region: str) -> bool:
    """Whether an address in `region` says by now which tax it is; until then none is shown, not 0.

    `country` is an ISO code in capitals; "" where it is not known either.
    """
    if country in DECIDES_TAX:
        return known(country, region) is not None
    return bool(country)


def canonical(country: str, region: str) -> str:
    """The normal form of `region`, for comparison: its code, else its letters and digits.

    `("US", "California")`, `("US", "ca")` and `("US", "US-CA")` are all `"CA"`; "" for an empty
    region. What is unknown is in small letters, so that it equals no code.
    """
    return known(country, region) or _folded(region)


@lru_cache(maxsize=4096)
def _known(country: str, region: str) -> str | None:
    names = _names(country)
    if not names:
        return None
    text = _plain(region)
    if (iso := _ISO.match(text)) and iso[1] == country.lower():
        text = iso[2]
    for rest in _simpler(country, text):
        if (code := names.get(_folded(rest))) is not None:
            return code
    text = _without_postal_code(country, text)
    found = {names.get(_folded(part)) for part in _meaning(country, text)}
    return found.pop() if len(found) == 1 else None


def _simpler(country: str, text: str) -> Iterator[str]:
    """`text`, then without what stands around a name."""
    yield text
    text = _without_postal_code(country, text)
    yield text
    if country in _COUNTRY:
        yield _COUNTRY[country].sub(" ", text)
    yield _bare(text)


def _meaning(country: str, text: str) -> Iterator[str]:
    """The parts of `text` that name a region."""
    for part in _PARTS.split(text):
        bare = _bare(part.strip())
        if country in _COUNTRY:
            bare = _COUNTRY[country].sub(" ", bare)
        if _folded(bare):
            yield bare


def _bare(text: str) -> str:
    return _KIND.sub("", _TITLE.sub("", text.strip()))


def _without_postal_code(country: str, text: str) -> str:
    return _POSTAL_CODE[country].sub(" ", text).strip() if country in _POSTAL_CODE else text


@cache
def _names(country: str) -> dict[str, str]:
    """By folded name or code, the region's code; empty where the data knows no regions."""
    found: dict[str, str] = {}
    for code, also in _ALSO.get(country, {}).items():
        found |= {_folded(name): code for name in also.split(",")}
    for region in postal_data.regions(country):
        found |= {_folded(name): region.code for name in (*region.names, region.code)}
    return found


def _plain(text: str) -> str:
    """Small letters without accents; "&" is "and"; full-width forms are ASCII."""
    spread = unicodedata.normalize("NFKD", clean_text.code(text).casefold())
    return "".join(c for c in spread if not unicodedata.combining(c)).replace("&", " and ")


def _folded(text: str) -> str:
    """Letters and digits only: "New  York." and "new york" are the same, "N.Y." and "ny" too."""
    return "".join(character for character in _plain(text) if character.isalnum())
