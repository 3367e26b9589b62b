"""Whole cents in, whole cents out: one rounding rule, and no cent lost or invented."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.core import money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "USD", 1999),
        ("0", "USD", 0),
        ("19.994", "USD", 1999),
        ("19.995", "USD", 2000),
        ("-19.995", "USD", -2000),
        ("0.005", "USD", 1),
        ("500", "JPY", 500),
        ("500.5", "JPY", 501),
        ("1.2345", "KWD", 1235),
        (Decimal("1e3"), "USD", 100_000),
    ],
)
def test_to_minor_rounds_half_away_from_zero(amount, currency, minor):
    assert money.to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1999, "USD", "19.99"),
        (5, "USD", "0.05"),
        (0, "USD", "0.00"),
        (-5, "USD", "-0.05"),
        (-1999, "USD", "-19.99"),
        (500, "JPY", "500"),
        (1, "KWD", "0.001"),
        (10**17 + 1, "USD", "1000000000000000.01"),
    ],
)
def test_decimal_string_has_the_currencys_places(minor, currency, shown):
    assert money.decimal_string(minor, currency) == shown
    assert money.payload(minor, currency) == {"amount": shown, "currency": currency}


@given(some.integers(-(10**15), 10**15), some.sampled_from(["USD", "JPY", "KWD", "EUR"]))
def test_there_and_back_is_the_same(minor, currency):
    assert money.to_minor(money.decimal_string(minor, currency), currency) == minor
    assert money.from_minor(minor, currency).amount == Decimal(
        money.decimal_string(minor, currency)
    )


@pytest.mark.parametrize(
    ("minor", "basis_points", "part"),
    [(1800, 825, 149), (1000, 825, 83), (6, 825, 0), (7, 825, 1), (200, 25, 1), (1800, 0, 0),
     (999, 10_000, 999), (-200, 25, -1)],
)  # fmt: skip
def test_percent_rounds_half_up(minor, basis_points, part):
    assert money.percent_of(minor, basis_points) == part


def test_people_read_dollars():
    assert money.for_people(123_456, "USD") == "$1,234.56"
    assert money.for_people(-500, "USD").replace("−", "-") == "-$5.00"


def test_currency_that_is_none_is_refused():
    with pytest.raises(Exception, match="XXQ"):
        money.decimal_string(1, "XXQ")


class TestSharingOut:
    @pytest.mark.parametrize(
        ("total", "weights", "shares"),
        [
            (100, [1, 1, 1], [34, 33, 33]),
            (100, [1, 2], [33, 67]),
            (1, [5, 5], [1, 0]),
            (0, [5, 5], [0, 0]),
            (7, [], []),
            (7, [0, 0], [0, 0]),
            (7, [0, 3, 0], [0, 7, 0]),
            (500, [1800, 7200], [100, 400]),
        ],
    )
    def test_largest_remainders_get_the_cents_left_over(self, total, weights, shares):
        assert money.share_out(total, weights) == shares

    @given(
        some.integers(0, 10**12),
        some.lists(some.integers(0, 10**9), min_size=1, max_size=12).filter(any),
    )
    def test_adds_up_and_stays_within_a_cent_of_fair(self, total, weights):
        shares = money.share_out(total, weights)

        assert sum(shares) == total
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share * sum(weights) - total * weight) < sum(weights)
            assert share == 0 or weight > 0

    @given(some.lists(some.integers(0, 10**9), min_size=1, max_size=12), some.data())
    def test_no_share_exceeds_its_weight(self, weights, data):
        """A discount never makes a line negative."""
        total = data.draw(some.integers(0, sum(weights)))

        shares = money.share_out(total, weights)

        assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
