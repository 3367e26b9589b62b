"""The password rules of AUTH_PASSWORD_VALIDATORS.

They apply wherever a password is set: the pages (registration, change, reset), the API, the back
office's forms, `createsuperuser` (also with --noinput) and `changepassword`. Each calls Django's
`validate_password`; none has rules of its own.

A password is stored as it was typed: nothing is trimmed or normalised. Only the rules look at other
spellings of it, as an attacker who guesses would.
"""

import re
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

# Longer than any passphrase. A password of a megabyte would be an attempt to load the server.
LENGTH_MIN, LENGTH_MAX = 8, 1000
# How many characters people add to a common password when they must: "1", "123!", "2026!".
ADDED_MOST = 6
# Two tables, because a 1 replaces an l as often as an i.
LOOKS_LIKE = [str.maketrans("@4035$7!1", f"aaoesst{letter}{letter}") for letter in "il"]
_ADDED = re.escape(string.punctuation + string.whitespace) + r"\d_"
_FRONT, _BACK = re.compile(f"^[{_ADDED}]+"), re.compile(f"[{_ADDED}]+$")


class LengthValidator:
    """At least `least` characters, without blanks and invisible characters at both ends."""

    def __init__(self, least: int = LENGTH_MIN, most: int = LENGTH_MAX) -> None:
        self.least, self.most = least, most

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) > self.most:
            raise ValidationError(f"Use at most {self.most} characters.", code="password_too_long")
        if any(unicodedata.category(character) == "Cs" for character in password):
            raise ValidationError("This password is not valid text.", code="invalid")
        if len(trimmed(password)) < self.least:
            raise ValidationError(
                f"This password is too short. It must have at least {self.least} characters,"
                " blanks at its ends not counted.",
                code="password_too_short",
            )

    def get_help_text(self) -> str:
        return f"At least {self.least} characters, blanks at the ends not counted."


class VarietyValidator:
    """At least `least` different characters: aaaaaaaa and abababab are guessed without a list."""

    def __init__(self, least: int = 5) -> None:
        self.least = least

    def validate(self, password: str, user: Any = None) -> None:
        # Only for what is long enough: one reason at a time is easier to correct.
        if len(trimmed(password)) >= 8 and len(set(password.casefold())) < self.least:
            raise ValidationError(
                f"This password repeats itself. Use at least {self.least} different characters.",
                code="password_too_uniform",
            )

    def get_help_text(self) -> str:
        return f"At least {self.least} different characters."


class CommonSpellingsValidator(CommonPasswordValidator):
    """Django's list of 20,000 common passwords, in the ways in which people vary them.

    Other capitals, full-width letters, blanks, a 0 for an o, the same word twice, and up to six
    digits or signs at either end (more, where those are common by themselves: password123456).
    """

    def validate(self, password: str, user: Any = None) -> None:
        if any(spelling in self.passwords for spelling in self._spellings(password[:LENGTH_MAX])):
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def _spellings(self, password: str) -> Iterator[str]:
        text = "".join(trimmed(unicodedata.normalize("NFKC", password)).casefold().split())
        for core in {text, *self._without_additions(text)}:
            for spelling in (core, *(core.translate(table) for table in LOOKS_LIKE)):
                yield spelling
                yield _unrepeated(spelling)

    def _without_additions(self, text: str) -> Iterator[str]:
        front = self._added(_FRONT, text)
        back = self._added(_BACK, text)
        yield text[: len(text) - back]
        yield text[front:]
        yield text[front : len(text) - back]

    def _added(self, end: re.Pattern[str], text: str) -> int:
        """How many characters at this end are an addition to a word."""
        found = end.search(text)
        if found is None or len(found[0]) == len(text):
            return 0
        few = len(found[0]) <= ADDED_MOST
        return len(found[0]) if few or found[0] in self.passwords else 0


def trimmed(password: str) -> str:
    """`password` without blanks, control and other invisible characters at both ends."""
    start, end = 0, len(password)
    while start < end and unicodedata.category(password[start])[0] in "ZC":
        start += 1
    while start < end and unicodedata.category(password[end - 1])[0] in "ZC":
        end -= 1
    return password[start:end]


def _unrepeated(text: str) -> str:
    """The word that `text` repeats, as "abc" for "abcabc"; else `text` itself."""
    length = (text + text).find(text, 1)
    return text[:length]
