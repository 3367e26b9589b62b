"""One spelling for a promo code, however a shopper types it.

Case, spaces, hyphens, full-width forms, zero-width characters and the Greek and Cyrillic letters
that look like Latin ones all lead to the same code: what looks the same on a poster is the same.
"""

import unicodedata

# Capitals of Greek and Cyrillic that cannot be told from Latin ones (Unicode TR39 confusables), and
# the capital i of a Turkish keyboard.
LOOK_ALIKES = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕЅІЈКМНОРСТУХİ",
    "ABEZHIKMNOPTYXABESIJKMHOPCTYXI",
)


def normalise(code: str) -> str:
    """The comparable form of `code`; at most 60 characters, empty when nothing is left."""
    folded = unicodedata.normalize("NFKC", code).upper().translate(LOOK_ALIKES)
    return "".join(character for character in folded if character.isalnum())[:60]
