"""Cancelling answers the order at once, with what is pending; the order says so until the end."""

import pytest

from apps.orders.models import Order, Saga
from tests.api.conftest import problem


@pytest.fixture
def order(api, buy):
    placed = api.checkout(buy()).json()["order"]
    api.headers["X-Order-Token"] = placed["token"]
    return placed


def test_cancel_answers_the_order_with_the_request(api, order):
    path = f"/orders/{order['id']}/"
    assert api.get(path).json()["cancel_requested"] is False

    answer = api.post(f"{path}cancel/")

    assert answer.status_code == 202, answer.content
    assert answer.json()["cancel_requested"] is True
    assert (answer.json()["id"], answer.json()["status"]) == (order["id"], "PENDING")
    assert answer.json() == api.get(path).json()


def test_asking_again_changes_nothing(api, order):
    path = f"/orders/{order['id']}/cancel/"
    first = api.post(path)
    asked_at = Saga.objects.get().cancel_requested_at

    again = api.post(path)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["cancel_requested"] is True
    assert Saga.objects.get().cancel_requested_at == asked_at


def test_cancelled_order_waits_for_nothing(api, order):
    path = f"/orders/{order['id']}/"
    api.post(f"{path}cancel/")
    Order.objects.update(status="CANCELLED")

    assert api.get(path).json()["cancel_requested"] is False


def test_refused_cancellation_is_not_pending(api, order):
    path = f"/orders/{order['id']}/"
    Order.objects.update(status="SHIPPED")

    problem(api.post(f"{path}cancel/"), 409, "not_cancellable")

    assert api.get(path).json()["cancel_requested"] is False
