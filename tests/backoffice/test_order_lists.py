"""The list of orders, the review queue and the returns: search, filters, export, queries."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.orders.fulfilment import returns
from apps.orders.models import Order
from tests.backoffice.conftest import Counting, an_order, in_review, log, order_page
from tests.backoffice.order_pages import CLERK, LIST, QUEUE
from tests.factories import a_mug

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("KP-AAA", {"KP-AAA1"}),
        ("kp-aaa1", {"KP-AAA1"}),
        ("bob@example.com", {"KP-BBB2"}),
        ("BOB@EXAMPLE", {"KP-BBB2"}),
        ("MUG-BLUE", {"KP-AAA1"}),
        ("nothing", set()),
        ("' OR 1=1 --", set()),
        (" kp aaa1 ", {"KP-AAA1"}),
        ("aaa1", {"KP-AAA1"}),
        ("KP–AAAl", {"KP-AAA1"}),  # a dash, and a letter that numbers do not have
        ("alice@example.com", {"KP-AAA1"}),
        ("A.L.I.C.E+sale@Example.com", set()),
        ("Alice+sale@EXAMPLE.com", {"KP-AAA1"}),
        ("Alice Archer <alice@example.com>", {"KP-AAA1"}),
        ("mailto:alice@example.com", {"KP-AAA1"}),
        ("b.o.b@googlemail.com", {"KP-CCC3"}),
        ("archer", {"KP-AAA1"}),
        ("ALICE Arch", {"KP-AAA1"}),
        ("rcher", set()),
        ("bjorn muller", {"KP-BBB2"}),
        ("Müller, Björn", {"KP-BBB2"}),
        ("mug-blue\u200b", {"KP-AAA1"}),
    ],
)
def test_search_finds_by_number_email_name_and_sku(
    staff: Client, typed: str, found: set[str]
) -> None:
    an_order(mug=a_mug(sku="MUG-BLUE"), number="KP-AAA1")
    an_order(
        number="KP-BBB2",
        email="bob@example.com",
        shipping_address={"name": "Björn Müller"},
    )
    an_order(number="KP-CCC3", email="bob@gmail.com", shipping_address={"name": "Bob Bell"})

    results = staff.get(LIST, {"q": typed}).context["cl"].result_list

    assert {order.number for order in results} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "SHIPPED"}, {"KP-SHIPPED"}),
        ({"saga__state__exact": "review"}, {"KP-STUCK"}),
        ({"attention": "review"}, {"KP-STUCK"}),
        ({"attention": "ship"}, {"KP-READY"}),
        ({"placed_at_from": "2000-01-01", "placed_at_to": "2000-12-31"}, set()),
    ],
)
def test_filters(staff: Client, query: dict[str, str], found: set[str]) -> None:
    an_order(number="KP-READY")
    an_order(Order.Status.SHIPPED, number="KP-SHIPPED")
    in_review(number="KP-STUCK")

    results = staff.get(LIST, query).context["cl"].result_list

    assert {order.number for order in results} == found


def test_export_quotes_what_a_spreadsheet_would_execute(staff: Client) -> None:
    order = an_order(
        email="alice@example.com",
        number="KP-FILE",
        shipping_address={
            "name": "=HYPERLINK(1)",
            "line1": "\t+1",
            "phone": "+1 555",
            "city": "@x",
        },
    )

    answer = staff.post(LIST, {"action": "export_selected", "_selected_action": [order.pk]})

    header, row, *_ = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert header.startswith("number,status,placed_at,email,currency,subtotal,discount")
    assert "KP-FILE,CONFIRMED," in row
    assert ",18.00,0.00,5.99,0.00,23.99," in row
    assert "'=HYPERLINK(1),'\t+1,,'@x,,,,'+1 555" in row
    assert log() == [(CLERK, "Exported 1 rows as orders.csv")]


def test_list_costs_the_same_with_many_orders(queries_of: Counting) -> None:
    an_order()
    queries_of(LIST)
    few = queries_of(LIST)
    for _ in range(8):
        an_order()

    assert queries_of(LIST) == few <= 12


def test_queue_costs_the_same_with_many_orders(queries_of: Counting) -> None:
    in_review()
    queries_of(QUEUE)
    few = queries_of(QUEUE)
    for _ in range(8):
        in_review()

    assert queries_of(QUEUE) == few <= 12


def test_returns_list_leads_to_orders(staff: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    order = an_order(Order.Status.DELIVERED, mug=mug, number="KP-BACK")
    returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")

    shown = staff.get(reverse("admin:orders_return_changelist")).content.decode()

    assert "KP-BACK" in shown and order_page(order) in shown
