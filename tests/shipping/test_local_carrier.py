"""Tracking numbers and estimates of the shop's own delivery."""

from datetime import date
from uuid import UUID

import pytest

from apps.shipping.carriers import LabelRequest
from apps.shipping.carriers.local import (
    LocalCarrier,
    business_days_after,
    check_character,
    tracking_number,
)

ORDER = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
FRIDAY = date(2026, 11, 20)


def is_tracking_number(text: str) -> bool:
    """Whether the last character is the check character of the others."""
    return check_character(text[:-1]) == text[-1]


def test_an_order_has_one_tracking_number_for_ever():
    # A literal: a new release must not change the numbers of existing parcels.
    assert tracking_number(ORDER) == "KP3V27MHKAW0JKMGCCB"
    assert is_tracking_number(tracking_number(ORDER))


def test_other_orders_have_other_numbers():
    numbers = {tracking_number(UUID(int=ORDER.int + step)) for step in range(1_000)}

    assert len(numbers) == 1_000
    assert all(is_tracking_number(number) for number in numbers)


def test_the_check_character_is_that_of_iso_7064():
    # The example of ISO 7064:2003 for MOD 37,36 as python-stdnum has it.
    assert check_character("A12425GABC1234002") == "M"


def test_every_single_wrong_character_is_detected():
    number = tracking_number(ORDER)
    for place in range(2, len(number)):
        for wrong in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
            if wrong != number[place]:
                assert not is_tracking_number(number[:place] + wrong + number[place + 1 :])


@pytest.mark.parametrize(
    ("start", "days", "arrives"),
    [
        (date(2026, 11, 18), 1, date(2026, 11, 19)),  # Wednesday → Thursday
        (FRIDAY, 0, FRIDAY),
        (FRIDAY, 1, date(2026, 11, 23)),  # → Monday
        (FRIDAY, 5, date(2026, 11, 27)),
        (FRIDAY, 6, date(2026, 11, 30)),
        (date(2026, 11, 21), 0, date(2026, 11, 23)),  # Saturday → Monday
        (date(2026, 11, 21), 1, date(2026, 11, 23)),
        (date(2026, 11, 22), 2, date(2026, 11, 24)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
    ],
)
def test_weekends_do_not_count(start, days, arrives):
    assert business_days_after(start, days) == arrives


def test_the_same_request_gets_the_same_label():
    request = LabelRequest(
        order_id=ORDER, number="A1", service="standard", min_days=2, max_days=5, address={}
    )

    first = LocalCarrier().labels([request], today=FRIDAY)
    again = LocalCarrier().labels([request], today=FRIDAY)

    assert first == again
    assert first[ORDER].estimated_from == date(2026, 11, 24)
    assert first[ORDER].estimated_to == date(2026, 11, 27)
