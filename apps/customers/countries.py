"""Countries of the world (ISO 3166-1 alpha-2), and what their addresses must have."""

import functools
import re

from django_countries import countries

# Without a state no sales tax can be told, and the carriers refuse the label.
REGION_REQUIRED = frozenset({"US", "CA"})

# Countries that have no postal codes, or in which people do not know theirs (Universal Postal
# Union, postal addressing systems).
WITHOUT_POSTAL_CODE = frozenset(
    re.findall(
        "[A-Z]{2}",
        """
        AE AG AO AW BF BI BJ BO BS BW BZ CD CF CG CI CK CM CW DJ DM ER FJ GA GD GH GM GN GQ GY HK
        IE JM KI KM KN KP LC LY ML MO MR MS MW NA NR NU PA QA RW SB SC SL SR SS ST SX SY TD TF TG
        TK TL TO TT TV UG VU WS YE ZW
        """,
    )
)


@functools.cache
def names() -> dict[str, str]:
    """English name by code, in alphabetical order of names."""
    return {code: str(name) for code, name in countries}


def choices() -> list[tuple[str, str]]:
    """`(code, name)` for a form."""
    return list(names().items())
