"""The normal form of a promo code, so that every way to type it finds the same promo.

Case, spaces, hyphens, full-width forms, zero-width characters and the Greek and Cyrillic letters
that look like Latin ones make no difference: codes that look the same in print are the same code.
"""

import unicodedata

# Capitals of Greek and Cyrillic that look like Latin ones (Unicode TR39 confusables), and
# the capital i of a Turkish keyboard.
LOOK_ALIKES = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕЅІЈКМНОРСТУХİ",
    "ABEZHIKMNOPTYXABESIJKMHOPCTYXI",
)


def normalise(code: str) -> str:
    """`code` in the form that is stored and compared: at most 60 characters, "" if none remain."""
    folded = unicodedata.normalize("NFKC", code).upper().translate(LOOK_ALIKES)
    return "".join(character for character in folded if character.isalnum())[:60]
