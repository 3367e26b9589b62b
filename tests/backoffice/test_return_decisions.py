"""Returns in the back office: refused, accepted in part, damaged."""

from typing import Any

import pytest
from django.test import Client

from apps.inventory.models import StockItem
from apps.notifications.models import Notification
from apps.orders.fulfilment import returns
from apps.orders.models import Order, Return
from tests.backoffice.conftest import an_order, do, form_id, log, messages_of, order_page
from tests.backoffice.order_pages import CLERK, buttons, refunds
from tests.factories import a_mug

pytestmark = pytest.mark.django_db


@pytest.fixture
def announced(db: None) -> Return:
    """One mug of a delivered order, announced as a return."""
    order = an_order(Order.Status.DELIVERED, mug=a_mug(stock=5, sku="MUG-1"))
    return returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")


def on_hand() -> int:
    return StockItem.objects.get(variant__sku="MUG-1").on_hand


def fields(announced: Return, accepted: Any, damaged: Any = 0, answer: str = "") -> dict[str, Any]:
    line = announced.lines.get()
    return {
        "arrived": announced.pk,
        f"accepted_{line.pk}": accepted,
        f"damaged_{line.pk}": damaged,
        "answer": answer,
    }


def test_return_is_refused_with_a_reason(staff: Client, announced: Return) -> None:
    order = announced.order
    assert {"receive-return", "refuse-return"} <= buttons(staff, order)

    do(staff, order_page(order, "refuse-return"), arrived=announced.pk, answer="It was used.")

    announced.refresh_from_db()
    order.refresh_from_db()
    assert (announced.state, announced.answer, order.status) == (
        "refused", "It was used.", "DELIVERED",
    )  # fmt: skip
    assert (refunds(), on_hand()) == ([], 4)
    assert log()[-1] == (
        CLERK,
        "Return refused: 1 × MUG-1: too large. It was used. Status: Return Initiated → Delivered.",
    )
    assert "It was used." in staff.get(order_page(order)).content.decode()
    assert Notification.objects.filter(kind="return_refused", body__contains="used").count() == 1


def test_refusal_without_a_reason_is_told_beside_the_field(
    staff: Client, announced: Return
) -> None:
    answer = do(staff, order_page(announced.order, "refuse-return"), arrived=announced.pk)
    assert "answer" in answer.context["form"].errors
    assert Return.objects.get().state == "requested"


def test_refusal_sent_twice_is_done_once(staff: Client, announced: Return) -> None:
    url = order_page(announced.order, "refuse-return")
    sent = {"form_id": form_id(staff, url), "arrived": announced.pk, "answer": "It was used."}

    staff.post(url, sent)
    again = staff.post(url, sent)

    assert again.status_code in (200, 302)
    assert Notification.objects.filter(kind="return_refused").count() == 1
    assert Return.objects.get().answer == "It was used."


def test_damaged_unit_is_refunded_and_not_put_back(staff: Client, announced: Return) -> None:
    order = announced.order
    answer = do(staff, order_page(order, "receive-return"), **fields(announced, 1, 1))

    assert "(1 damaged)" in messages_of(answer)[0]
    assert (on_hand(), [amount for amount, *_ in refunds()]) == (4, [1800])
    assert "(1 damaged)" in staff.get(order_page(order)).content.decode()


@pytest.mark.parametrize(
    ("accepted", "damaged", "answer", "field"),
    [
        (2, 0, "x", "accepted"),
        (0, 0, "x", "answer"),
        (1, 2, "x", "accepted"),
        (-1, 0, "x", "accepted"),
        ("one", 0, "x", "accepted"),
        (1, "1.5", "x", "damaged"),
    ],
)
def test_wrong_count_is_told_beside_its_field(
    staff: Client, announced: Return, accepted: Any, damaged: Any, answer: str, field: str
) -> None:
    page = do(
        staff,
        order_page(announced.order, "receive-return"),
        **fields(announced, accepted, damaged, answer),
    )
    assert [name.partition("_")[0] for name in page.context["form"].errors] == [field]
    assert (Return.objects.get().state, refunds(), on_hand()) == ("requested", [], 4)
