"""One table says what a status is called, coloured and grouped, and what it may follow."""

from __future__ import annotations

import pytest

from apps.backoffice import formatting
from apps.orders import admin  # noqa: F401  (brings the colours to the back office)
from apps.orders.models import Order, OrderEvent
from apps.orders.status import STAGES, STATUSES, OrderStatus


def test_every_status_has_its_row() -> None:
    assert list(STATUSES) == list(OrderStatus) == list(Order.Status)


@pytest.mark.parametrize("status", OrderStatus)
def test_row_is_complete(status: OrderStatus) -> None:
    row = STATUSES[status]
    assert set(row.follows) <= set(OrderStatus)
    assert status not in row.follows
    # An order begins as PENDING, and is it again while another card is tried.
    assert row.follows
    assert (row.follows == (OrderStatus.PAYMENT_FAILED,)) == (status == OrderStatus.PENDING)
    assert len(row.stages) == len(STAGES)
    assert row.headline
    assert row.short
    assert 0 < len(row.message) <= OrderEvent._meta.get_field("message").max_length


@pytest.mark.parametrize("status", OrderStatus)
def test_back_office_shows_the_colour_of_the_row(status: OrderStatus) -> None:
    assert formatting.COLOURS[str(status)] == STATUSES[status].colour
