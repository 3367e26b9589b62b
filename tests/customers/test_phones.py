"""Telephone numbers as people paste them."""

import pytest

from apps.customers import phones
from apps.customers.phones import NotAPhone


@pytest.mark.parametrize(
    "typed",
    [
        "+1 (503) 555-0100", "503.555.0100", "503 555 0100", "1-503-555-0100",
        "\u202a+1 (503) 555\u20110100\u202c", "\u2066503\u2013555\u20130100\u2069",
        "\u200e+1\u00a0503\u00a0555\u00a00100", "５０３　５５５　０１００", "٥٠٣٥٥٥٠١٠٠",
        "tel:+1-503-555-0100", "Tel. 503 555 0100", "001 503 555 0100",
    ],
)  # fmt: skip
def test_number_is_kept_in_one_form(typed: str) -> None:
    assert phones.tidy(typed, "US") == "+15035550100"


@pytest.mark.parametrize(
    "typed",
    [
        "503-555-0100 ext. 12", "503-555-0100 x12", "503 555 0100 extension 12",
        "(503) 555-0100, ext 12", "503-555-0100 #12", "tel:+1-503-555-0100;ext=12",
        "503–555–0100 Ext. １２",
    ],
)  # fmt: skip
def test_extension_is_kept(typed: str) -> None:
    assert phones.tidy(typed, "US") == "+15035550100 ext. 12"


@pytest.mark.parametrize(
    ("typed", "country", "kept"),
    [
        ("030/1234567", "DE", "+49301234567"),
        ("+49 (0)30 1234567", "DE", "+49301234567"),
        ("0049 30 1234567", "US", "+49301234567"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+39 06 1234 5678", "IT", "+390612345678"),
        ("(0)20 7946 0958", "GB", "+442079460958"),
        ("044 123 456", "XK", "+38344123456"),
        ("+1 503 555 0100", "", "+15035550100"),
    ],
)
def test_numbers_of_the_world(typed: str, country: str, kept: str) -> None:
    assert phones.tidy(typed, country) == kept


@pytest.mark.parametrize("typed", ["030/1234567", "555 0100", "12345678901234567890"])
def test_number_that_the_data_does_not_know_is_kept_as_typed(typed: str) -> None:
    assert phones.tidy(f" \u202a{typed}\u202c ", "US") == typed


@pytest.mark.parametrize(
    "typed", ["call me", "12", "+1 555", "1" * 21, "555-0100<script>", "ext. 12", "+", "--------"]
)
def test_other_text_is_no_number(typed: str) -> None:
    with pytest.raises(NotAPhone):
        phones.tidy(typed, "US")


def test_no_number_is_fine() -> None:
    assert phones.tidy("", "US") == ""
    assert phones.tidy(" \u200b", "US") == ""
