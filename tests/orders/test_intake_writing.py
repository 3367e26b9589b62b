"""How accepted checkouts are written: one statement, in which each owner names its own columns."""

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.orders import intake, payloads
from apps.orders.intake import pricing, writing
from apps.orders.models import Order
from apps.payments.models import Payment
from tests.factories import a_mug
from tests.orders.checkouts import a_checkout, pending

INTAKE = Path(intake.__file__).parent


@pytest.mark.parametrize("table", ["payments_payment", "orders_saga (", "inventory_", "promos_"])
def test_intake_names_no_columns_of_other_owners(table: str) -> None:
    naming = [path.name for path in INTAKE.glob("*.py") if table in path.read_text()]

    assert naming == []


@pytest.mark.usefixtures("open_shop")
def test_batch_is_written_in_one_statement() -> None:
    mug = a_mug(stock=9)
    batch = [pending(a_checkout((mug, 1), email=f"{who}@example.com")) for who in ("alice", "bob")]
    pricing.price(batch, {})
    answers = {}
    for number, each in enumerate(batch):
        each.number = f"KP-{number}"
        answers[each.order_id] = payloads.accepted(
            each.order_id,
            each.number,
            total_amount=each.priced.total_amount,
            currency=each.priced.currency,
            base_url="https://shop.example",
            place=(0, 1),
        )

    with CaptureQueriesContext(connection) as queries:
        writing.write(batch, answers)

    assert len(queries) == 1
    assert set(Order.objects.values_list("pk", flat=True)) == set(answers)
    assert set(Payment.objects.values_list("order_id", flat=True)) == set(answers)
