"""The checkout's page understands what is typed, and says what it does not."""

import pytest

from apps.catalog.models import Variant
from apps.orders.models import Order
from tests.factories import a_sales_tax
from tests.web.conftest import Visitor

SAN_FRANCISCO = {"city": "San Francisco", "region": "CA", "postal_code": "94105"}


def order_to(visitor: Visitor, mug: Variant, **changes: str):
    """What the form is answered; the page's total is that of what was typed."""
    visitor.add(mug)
    form = visitor.checkout_form(**SAN_FRANCISCO | changes)
    priced = visitor.post("/checkout/", form | {"refresh": "delivery"})
    total = str(priced.context["quote"].total_amount)
    return visitor.post("/checkout/", form | {"expected_total": total})


@pytest.mark.parametrize("typed", ["Cali", "CA 94105", "State of California", "ＣＡ"])
def test_spelling_of_a_state_pays_its_tax_on_the_page_and_in_the_order(
    visitor: Visitor, mug: Variant, typed: str
) -> None:
    a_sales_tax(rate_bp=725, region="CA")

    answer = order_to(visitor, mug, region=typed)

    assert answer.status_code == 302
    order = Order.objects.get()
    assert order.tax_amount == 131  # 7.25 % of 18.00, half up
    assert order.shipping_address["region"] == "CA"


@pytest.mark.parametrize("typed", ["Californa", "CА"])
def test_unknown_state_is_told_at_its_field_and_kept_as_typed(
    visitor: Visitor, mug: Variant, typed: str
) -> None:
    answer = order_to(visitor, mug, region=typed, line2="Floor 3")

    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="id_region-error"' in page
    assert f'value="{typed}"' in page
    assert 'value="Floor 3"' in page
    assert not Order.objects.exists()


def test_zip_code_of_another_state_is_told_at_its_field(visitor: Visitor, mug: Variant) -> None:
    answer = order_to(visitor, mug, region="OR")

    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="id_postal_code-error"' in page
    assert "94105 is in California" in page
    assert not Order.objects.exists()


def test_pasted_telephone_number_is_kept_in_one_form(visitor: Visitor, mug: Variant) -> None:
    pasted = "\u202a+1 (503) 555\u20110100\u202c ext. 12"

    assert order_to(visitor, mug, phone=pasted).status_code == 302
    assert Order.objects.get().shipping_address["phone"] == "+15035550100 ext. 12"


def test_order_page_prints_the_address_in_the_order_of_its_country(
    visitor: Visitor, mug: Variant
) -> None:
    berlin = {"country": "DE", "city": "Berlin", "region": "", "postal_code": "10115"}

    placed = order_to(visitor, mug, **berlin)

    assert "10115 Berlin<br>Germany<br>" in visitor.get(placed.url).content.decode()
