"""A card number with characters between its digits that nobody sees, or that look like hyphens."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.catalog.models import Variant
from apps.core.card_data import is_card_number
from apps.orders.models import Order
from tests.api.conftest import Api, buy, intake_drained, mug, problem, shop  # noqa: F401
from tests.factories import ADDRESS
from tests.web.conftest import Visitor

HIDDEN = [
    "4242\u200b4242\u200b4242\u200b4242",
    "42\u00ad424242\u20604242424\u202a2",
    "4242\u20114242\u20114242\u20114242",
    "4242\u00a04242\u00a04242\u00a04242",
    "４２４２４２４２４２４２４２４２",
]


@pytest.mark.parametrize("text", HIDDEN)
@pytest.mark.parametrize("field", ["", "phone", "line2"])
def test_it_is_one(text: str, field: str) -> None:
    assert is_card_number(text, field=field)


@pytest.mark.parametrize("text", HIDDEN)
@pytest.mark.parametrize("field", ["line2", "phone"])
def test_api_refuses_it(buy: Callable[..., Any], text: str, field: str) -> None:  # noqa: F811
    body = buy(shipping_address=ADDRESS | {field: text})

    problem(Api().checkout(body), 400, "card_data_refused")
    assert not Order.objects.exists()


@pytest.mark.parametrize("text", HIDDEN)
def test_page_refuses_it(mug: Variant, text: str) -> None:  # noqa: F811
    visitor = Visitor(raise_request_exception=False)
    visitor.add(mug)

    answer = visitor.post("/checkout/", visitor.checkout_form(line2=text))

    assert answer.status_code == 400
    assert not Order.objects.exists()
