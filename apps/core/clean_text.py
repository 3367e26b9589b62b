"""Removes the characters that cannot be seen, before a text is checked, compared or kept.

What is pasted brings them along: a phone number out of a contact list stands between marks of the
writing direction, an e-mail address out of a web page ends in a zero-width space, a code out of a
document has no-break hyphens. With them two texts that look alike are two customers, two SKUs, two
codes; and an override of the direction lets a label show another text than the page.

    clean   any text: NFC, without invisible characters
    line    a name or a line of an address: also white space is one space, none at the ends
    code    what machines compare (codes, postal codes, regions): also NFKC, plain hyphens
    email   an e-mail address as it is kept
    without_controls   for files: control characters are spaces

Which characters: Unicode's property Default_Ignorable_Code_Point (UAX #44), and the marks of
interlinear annotation. Control characters are not among them: they are visible as damage, and the
checks refuse them. Cleaning a clean text changes nothing.
"""

import re
import unicodedata

_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Two of them are letters' business in some scripts: a joiner shapes Persian, Hindi and emoji, a
# selector chooses the form of a Japanese name's character or of an emoji.
_JOINERS = frozenset("\u200c\u200d")
_SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_KEYCAP = "\u20e3"
# Hyphens and dashes that stand for a hyphen in a code: the no-break hyphen, the en dash, the minus.
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043", "-"))
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """`text` in NFC and without invisible characters; white space stays as it is."""
    if text.isascii():
        return text  # the usual case
    return unicodedata.normalize("NFC", _IGNORABLE.sub(_kept, text))


def line(text: str) -> str:
    """`text` as one line: clean, each run of white space one space, none at the ends."""
    return " ".join(clean(text).split())


def code(text: str) -> str:
    """`text` as machines compare it: full-width forms are ASCII, every hyphen is `-`.

    The letters of other scripts that only look like Latin ones stay what they are.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", text)).translate(_HYPHENS)
        # NFKC makes a blank out of some signs, and U+FFA0 becomes another filler.
        text = _IGNORABLE.sub("", text)
    return " ".join(text.split())


def email(text: str) -> str:
    """An e-mail address as it is kept: as `code`; capitals stay. It may still be none."""
    return code(text)


def ascii_digits(text: str) -> str:
    """`text` with the decimal digits of every script (Arabic, Devanagari …) as 0 to 9."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in text
    )


def without_controls(text: str) -> str:
    """`text` with a space for each control character but tab and line breaks."""
    return _CONTROLS.sub(" ", text)


def _kept(found: re.Match[str]) -> str:
    """The character where it shapes what stands beside it, else nothing."""
    character, text, place = found[0], found.string, found.start()
    before, after = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
    if character in _JOINERS:
        return character if _is_shaped(before) and _is_shaped(after) else ""
    if _SELECTORS.match(character):
        shapes = _is_shaped(before) or unicodedata.category(before or " ") in ("So", "Sm")
        return character if shapes or after == _KEYCAP else ""
    return ""


def _is_shaped(character: str) -> bool:
    """Whether a joiner or selector beside it can matter: emoji, and scripts from Hebrew on."""
    return (
        character >= "\u0590"
        and not "\u1e00" <= character <= "\u20ff"  # Latin, Greek, punctuation
        and not "\uff00" <= character <= "\uffef"  # full-width forms
        and unicodedata.category(character)[0] in "LMS"
    )
