"""What people type, and what the database gets."""

import pytest
from django.core.exceptions import ValidationError

from apps.core.money_forms import MoneyField, PercentField


@pytest.mark.parametrize(
    ("typed", "minor"),
    [("19.99", 1999), ("19.9", 1990), ("19", 1900), (" 0.01 ", 1), (".5", 50), ("007", 700)],
)
def test_decimals_become_minor_units(typed: str, minor: int) -> None:
    assert MoneyField().clean(typed) == minor


@pytest.mark.parametrize(
    "typed",
    ["1,000", "12,50", "1e3", "NaN", "Infinity", "١٢", "1_000", "$5", "--5", "5-", ".", "1.2.3"],
)
def test_what_is_no_plain_number_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError, match=r"Write a number such as 19\.95"):
        MoneyField().clean(typed)


def test_half_a_cent_is_refused_not_rounded() -> None:
    with pytest.raises(ValidationError, match="At most 2 decimals"):
        MoneyField().clean("19.995")


def test_yen_have_no_decimals() -> None:
    assert MoneyField(currency="JPY").clean("500") == 500
    assert MoneyField(currency="JPY").prepare_value(500) == "500"
    with pytest.raises(ValidationError, match="At most 0 decimals"):
        MoneyField(currency="JPY").clean("500.5")


@pytest.mark.parametrize(
    ("minor", "written"), [(1999, "19.99"), (0, "0.00"), (5, "0.05"), (-150, "-1.50")]
)
def test_stored_amounts_are_written_as_decimals(minor: int, written: str) -> None:
    assert MoneyField().prepare_value(minor) == written


def test_unchanged_amount_is_no_change() -> None:
    assert not MoneyField().has_changed(1990, "19.9")
    assert MoneyField().has_changed(1990, "19.91")
    assert MoneyField().has_changed(1990, "nonsense")


@pytest.mark.parametrize(("typed", "basis_points"), [("8.25", 825), ("100", 10_000), ("0", 0)])
def test_per_cent_become_basis_points(typed: str, basis_points: int) -> None:
    assert PercentField().clean(typed) == basis_points


@pytest.mark.parametrize("typed", ["100.01", "-1", "8.255"])
def test_per_cent_out_of_reach_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        PercentField().clean(typed)
