"""The pages of orders in the back office: addresses, actions, and what came of them."""

from django.test import Client
from django.urls import reverse

from apps.orders.models import Order
from apps.payments.models import Refund
from tests.backoffice.conftest import order_page

LIST = reverse("admin:orders_order_changelist")
QUEUE = reverse("admin:orders_saga_changelist")
CLERK = "clerk@kettleandpine.example"
ACTIONS = {
    "cancel": {"reason": "x"},
    "refund": {"amount": "1.00", "reason": "x"},
    "hand-over": {},
    "deliver": {},
    "receive-return": {},
    "refuse-return": {},
    "retry": {"reason": "x"},
    "undo": {"reason": "x"},
    "resolve": {"reason": "x"},
}


def buttons(client: Client, order: Order) -> set[str]:
    """The actions that an order's page offers."""
    shown = client.get(order_page(order)).content.decode()
    return {action for action in ACTIONS if f'href="{order_page(order, action)}"' in shown}


def refunds() -> list[tuple[int, str, str, str]]:
    rows = Refund.objects.order_by("created_at", "id")
    return list(rows.values_list("amount", "status", "reason", "actor"))
