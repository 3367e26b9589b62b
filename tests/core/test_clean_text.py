"""What nobody sees is removed; what shapes a word, a name or an emoji stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import clean_text


@pytest.mark.parametrize(
    "text",
    [
        "\u202aAlice\u202c",  # as contact lists paste it
        "\u2066Alice\u2069",
        "\u200eAlice\u200f",
        "Al\u200bice",
        "Al\u00adice",
        "\ufeffAlice",
        "Al\u2060ice\u2063",
        "Al\u200d\u200cice",
        "Alice\u3164\u115f",
        "Alice\ufe0f",
        "\U000e0041Alice",
    ],
)
def test_characters_that_nobody_sees_are_removed(text: str) -> None:
    assert clean_text.clean(text) == "Alice"
    assert clean_text.line(text) == "Alice"
    assert clean_text.code(text) == "Alice"


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",  # Persian: without the joiner another word
        "क्\u200dष",
        "👩\u200d🍳",  # one emoji of two
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "葛\U000e0100城",  # the form of a character that a family chose
    ],
)
def test_joiners_and_selectors_stay_where_they_shape_something(text: str) -> None:
    assert clean_text.clean(text) == text


def test_text_is_kept_in_one_form_and_its_white_space_as_it_is() -> None:
    assert clean_text.clean("Mu\u0308nchen\n  u\u200b\u0308") == "München\n  ü"


def test_line_has_single_spaces_and_none_at_its_ends() -> None:
    assert clean_text.line(" \u00a0Alice\t\u3000Archer\u200b\n") == "Alice Archer"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ＡＢ１２", "AB12"),
        ("A\u2011B\u2013C\u2212D", "A-B-C-D"),
        ("  A\u00a0 B ", "A B"),
        ("А1", "А1"),  # Cyrillic stays Cyrillic: it is no A
    ],
)
def test_code_is_as_machines_compare_it(text: str, code: str) -> None:
    assert clean_text.code(text) == code


def test_digits_of_every_script_become_ascii() -> None:
    assert clean_text.ascii_digits("٠١٢ ۳۴ ५६ ７8") == "012 34 56 78"


def test_control_characters_become_spaces_in_files() -> None:
    assert clean_text.without_controls("a\x0bb\x07c\x85d\n\te") == "a b c d\n\te"


@given(st.text())
def test_cleaning_a_clean_text_changes_nothing(text: str) -> None:
    for clean in (clean_text.clean, clean_text.line, clean_text.code, clean_text.email):
        once = clean(text)
        assert clean(once) == once
