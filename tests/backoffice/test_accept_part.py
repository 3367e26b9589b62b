"""A part that somebody took at the gateway's dashboard: staff accept it for the whole, or undo."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.models import Decision
from apps.orders.models import Order, Saga
from apps.payments.models import Payment
from tests.backoffice.conftest import do, in_review, log, order_page

pytestmark = pytest.mark.django_db


@pytest.fixture
def partly_paid() -> Order:
    order = in_review(number="KP-PART")
    Payment.objects.filter(order_id=order.pk).update(status="partly_captured", captured_amount=100)
    Saga.objects.filter(order=order).update(review_reason="Only $1.00 of $23.99 was taken")
    return order


def test_button_is_there_for_a_part_only(staff: Client, partly_paid: Order) -> None:
    button = f'href="{order_page(partly_paid, "accept-part")}"'
    assert button in staff.get(order_page(partly_paid)).content.decode()
    Payment.objects.update(status="authorized", captured_amount=0)
    assert button not in staff.get(order_page(partly_paid)).content.decode()


def test_accepting_lets_the_order_go_on_and_is_kept(staff: Client, partly_paid: Order) -> None:
    do(staff, order_page(partly_paid, "accept-part"), reason="the rest came by transfer")

    assert Saga.objects.get(order=partly_paid).state == "forward"
    payment = Payment.objects.get(order_id=partly_paid.pk)
    assert (payment.status, payment.captured_amount) == ("captured", 100)
    decided = Decision.objects.get()
    assert (decided.kind, decided.decision) == ("saga", "accept_part")
    ((_, words),) = log()
    assert words == "KP-PART: goes on for the part that was taken. the rest came by transfer"


def test_trainee_cannot_accept(looker: Client, partly_paid: Order) -> None:
    assert looker.get(order_page(partly_paid, "accept-part")).status_code == 403
    assert Payment.objects.get(order_id=partly_paid.pk).status == "partly_captured"


def test_whole_payment_cannot_be_accepted_in_part(staff: Client) -> None:
    order = in_review(number="KP-WHOLE")
    do(staff, order_page(order, "accept-part"), reason="a slip")
    assert Payment.objects.get(order_id=order.pk).status == "authorized"
    assert Saga.objects.get(order=order).state == "review"
    assert not Decision.objects.exists()


def test_list_of_all_cases_still_opens(staff: Client, partly_paid: Order) -> None:
    for address in (reverse("admin:review_cases"), f"{reverse('admin:review_cases')}?kind=saga"):
        page = staff.get(address).content.decode()
        assert "Only $1.00 of $23.99 was taken" in page
        assert "Accept the part" not in page, "one by one, on the order's page"
