"""One spelling for the region of an address: shoppers type "California", "calif." or "CA".

Without it an order to "California" would pass by the rate for "CA" untaxed. Known are the
countries whose sales tax differs by region; elsewhere regions are compared without capitals and
spaces. Codes and names: ISO 3166-2:US and ISO 3166-2:CA.
"""

_UNITED_STATES = """
    AL Alabama; AK Alaska; AZ Arizona; AR Arkansas; CA California; CO Colorado; CT Connecticut;
    DE Delaware; DC District of Columbia; FL Florida; GA Georgia; HI Hawaii; ID Idaho; IL Illinois;
    IN Indiana; IA Iowa; KS Kansas; KY Kentucky; LA Louisiana; ME Maine; MD Maryland;
    MA Massachusetts; MI Michigan; MN Minnesota; MS Mississippi; MO Missouri; MT Montana;
    NE Nebraska; NV Nevada; NH New Hampshire; NJ New Jersey; NM New Mexico; NY New York;
    NC North Carolina; ND North Dakota; OH Ohio; OK Oklahoma; OR Oregon; PA Pennsylvania;
    RI Rhode Island; SC South Carolina; SD South Dakota; TN Tennessee; TX Texas; UT Utah;
    VT Vermont; VA Virginia; WA Washington; WV West Virginia; WI Wisconsin; WY Wyoming;
    AS American Samoa; GU Guam; MP Northern Mariana Islands; PR Puerto Rico; VI Virgin Islands
"""
_CANADA = """
    AB Alberta; BC British Columbia; MB Manitoba; NB New Brunswick; NL Newfoundland and Labrador;
    NT Northwest Territories; NS Nova Scotia; NU Nunavut; ON Ontario; PE Prince Edward Island;
    QC Quebec; SK Saskatchewan; YT Yukon
"""


def _by_name(table: str) -> dict[str, str]:
    pairs = (entry.split(maxsplit=1) for entry in table.split(";"))
    return {_folded(name): code for code, name in pairs}


def _folded(text: str) -> str:
    """Letters and digits only, without capitals: "New  York." and "new york" are the same."""
    return "".join(character for character in text.casefold() if character.isalnum())


_NAMES = {
    "US": _by_name(_UNITED_STATES) | {"washingtondc": "DC", "calif": "CA"},
    "CA": _by_name(_CANADA) | {"québec": "QC"},
}


def canonical(country: str, region: str) -> str:
    """The comparable form of `region` in `country`; empty when there is none.

    `("US", "California")`, `("US", "ca")` and `("US", "US-CA")` are all `"ca"`.
    """
    folded = _folded(region)
    named = _NAMES.get(country)
    if named is None:
        return folded
    code = named.get(folded)
    if code is not None:
        return code.casefold()
    # ISO 3166-2 writes the country first.
    prefix = country.casefold()
    if len(folded) == 4 and folded.startswith(prefix):
        return folded[2:]
    return folded
