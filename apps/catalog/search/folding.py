"""One spelling for all: no accents, no case, letters and digits only.

`folded` is the same as the function catalog_folded of the database (migration 0003), which folds
what products say; a test compares the two. Without both doing the same, words would be stored that
no typed text becomes.
"""

import re
import unicodedata

_SYMBOLS = str.maketrans(dict.fromkeys("™®©℠", " "))
# Combining accents, apostrophes, and what is there but not seen.
_DROPPED = re.compile("[\u0300-\u036f'’‘ʼ`\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ŋ": "n", "ħ": "h", "ı": "i",
                          "ς": "σ", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"})  # fmt: skip
_BETWEEN = re.compile(
    "[^0-9a-z\u00df-\u00f6\u00f8-\u1fff\u2c00-\u2dff\u2e80-\u2fff\u3005-\u3007\u3041-\u30fa"
    "\u30fc-\ud7ff\uf900-\ufdff\ufe70-\ufefc\U00020000-\U0003ffff]+"
)
# Of Chinese, Japanese and Korean each character is a word: nothing stands between their words.
CHARACTER = re.compile(
    "([\u2e80-\u2fff\u3005-\u3007\u3041-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff])"
)
_MEASURE = re.compile("(^| )([0-9]+)([a-z]+)(?= |$)")  # 12oz
_UMLAUTS = re.compile("[äöü]", re.IGNORECASE)
_WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "ae", "Ö": "oe", "Ü": "ue"})


def folded(text: str) -> str:
    """`text` as words of lower-case letters and digits, one space between."""
    plain = unicodedata.normalize("NFKD", text.translate(_SYMBOLS))
    plain = unicodedata.normalize("NFKC", _DROPPED.sub("", plain))
    plain = _BETWEEN.sub(" ", plain.lower().translate(_LETTERS))
    plain = _MEASURE.sub(r"\1\2 \3", CHARACTER.sub(r" \1 ", plain))
    return " ".join(plain.split())


def written_out(text: str) -> str | None:
    """`text` folded with ä as ae, ö as oe, ü as ue; None when it has none of them."""
    composed = unicodedata.normalize("NFC", text)
    return folded(composed.translate(_WRITTEN_OUT)) if _UMLAUTS.search(composed) else None
