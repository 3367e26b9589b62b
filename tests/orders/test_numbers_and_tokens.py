"""Order numbers that people read out, and the tokens that open a guest's order."""

import re
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.orders.intake.order_numbers import RANGE, order_number
from apps.orders.tokens import is_valid, order_token

ORDER = UUID("0190a000-0000-7000-8000-000000000001")


class TestNumbers:
    def test_first_orders_do_not_look_like_the_first(self):
        numbers = [order_number(sequence) for sequence in range(1, 50)]

        assert all(re.fullmatch(r"KP-[0-9A-HJKMNP-TV-Z]{7}", number) for number in numbers)
        assert sorted(numbers) != numbers
        assert "KP-0000001" not in numbers

    def test_hundred_thousand_orders_have_as_many_numbers(self):
        assert len({order_number(sequence) for sequence in range(1, 100_001)}) == 100_000

    @given(some.integers(1, RANGE - 1), some.integers(1, RANGE - 1))
    def test_no_two_orders_meet(self, one, other):
        assert (order_number(one) == order_number(other)) == (one == other)

    @given(some.integers(1, RANGE - 1))
    def test_number_always_fits_its_column_and_its_alphabet(self, sequence):
        assert re.fullmatch(r"KP-[0-9A-HJKMNP-TV-Z]{7}", order_number(sequence))

    @pytest.mark.parametrize("sequence", [0, -1, RANGE])
    def test_out_of_range_is_said_and_not_wrapped_round(self, sequence):
        with pytest.raises(ValueError, match="out of range"):
            order_number(sequence)

    def test_last_one_still_has_a_number(self):
        assert len(order_number(RANGE - 1)) == 10


class TestTokens:
    def test_opens_its_order_and_no_other(self):
        token = order_token(ORDER)

        assert is_valid(ORDER, token)
        assert not is_valid(uuid4(), token)

    def test_is_the_same_each_time_and_tells_nothing_of_the_order(self):
        token = order_token(ORDER)

        assert token == order_token(ORDER)
        assert re.fullmatch("[0-9a-f]{40}", token)
        assert ORDER.hex not in token

    @pytest.mark.parametrize(
        "wrong",
        [None, "", " ", "0" * 40, "x", "\x00" * 40, "é" * 40, "a" * 100_000],
    )
    def test_anything_else_opens_nothing(self, wrong):
        assert is_valid(ORDER, wrong) is False

    def test_almost_right_is_wrong(self):
        token = order_token(ORDER)

        for wrong in (token[:-1], token + "0", token.upper(), f" {token}", token[::-1]):
            assert is_valid(ORDER, wrong) is False or wrong == token

    def test_made_under_the_key_before_still_opens(self, settings):
        token = order_token(ORDER)
        old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 60
        settings.SECRET_KEY_FALLBACKS = [old]

        assert is_valid(ORDER, token)
        assert order_token(ORDER) != token

        settings.SECRET_KEY_FALLBACKS = []
        assert not is_valid(ORDER, token)
