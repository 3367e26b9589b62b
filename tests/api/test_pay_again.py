"""POST /orders/{id}/payments/: another card on an order whose payment was declined."""

import pytest

from apps.orders.models import Order, Saga
from apps.payments.models import Payment
from tests.api.conftest import Api, problem
from tests.orders.declined import decline

CARD = {"payment_method": "pm_card_mastercard"}


@pytest.fixture
def order(api, buy):
    """A guest's order of one mug, declined."""
    placed = api.checkout(buy()).json()["order"]
    api.headers["X-Order-Token"] = placed["token"]
    return decline(Order.objects.get(pk=placed["id"]))


@pytest.fixture
def path(order):
    return f"/orders/{order.pk}/payments/"


def test_next_action_says_where_to_pay_again_and_until_when(api, order, path):
    document = api.get(f"/orders/{order.pk}/").json()

    until = Saga.objects.get().deadline_at.isoformat().replace("+00:00", "Z")
    action = document["next_action"]
    assert (document["status"], action["type"], action["until"]) == (
        *("PAYMENT_FAILED", "pay_again"),
        until,
    )
    assert action["url"].endswith(f"/api/v1{path}")
    status = api.get(f"/orders/{order.pk}/status/").json()
    events = api.get(f"/orders/{order.pk}/events/").json()["results"]
    assert status["next_action"] == events[-1]["next_action"] == action


def test_another_card_brings_the_order_back_to_pending(api, order, path):
    answer = api.post(path, CARD)

    assert answer.status_code == 202, answer.content
    document = answer.json()
    assert (document["id"], document["status"]) == (str(order.pk), "PENDING")
    assert document["next_action"] is None
    total = document["total"]
    assert document["payments"] == [
        {"status": "failed", "amount": total, "message": "Your card was declined."},
        {"status": "created", "amount": total, "message": ""},
    ]
    assert document == api.get(f"/orders/{order.pk}/").json()
    assert Payment.objects.get(live=True).payment_method == "pm_card_mastercard"


def test_order_that_does_not_wait_is_not_payable(api, order, path):
    assert api.post(path, CARD).status_code == 202

    problem(api.post(path, CARD), 409, "not_payable")
    assert Payment.objects.count() == 2


def test_nothing_is_payable_after_the_deadline(api, order, path):
    Saga.objects.update(deadline_at="2020-01-01T00:00Z")

    problem(api.post(path, CARD), 409, "not_payable")

    assert Payment.objects.count() == 1
    assert Order.objects.get().status == "PAYMENT_FAILED"


def test_cancelled_order_is_not_payable(api, order, path):
    assert api.post(f"/orders/{order.pk}/cancel/").json()["cancel_requested"] is True

    problem(api.post(path, CARD), 409, "not_payable")


def test_order_without_a_declined_card_is_not_payable(api, buy):
    placed = api.checkout(buy()).json()["order"]
    api.headers["X-Order-Token"] = placed["token"]

    problem(api.post(f"/orders/{placed['id']}/payments/", CARD), 409, "not_payable")


def test_same_key_gets_the_same_answer_and_one_attempt(api, path):
    first = api.post(path, CARD, Idempotency_Key="k-1")
    again = api.post(path, CARD, Idempotency_Key="k-1")

    assert (first.status_code, again.status_code) == (202, 202)
    assert again["Idempotent-Replayed"] == "true"
    assert again.content == first.content
    other = api.post(path, {"payment_method": "pm_card_visa"}, Idempotency_Key="k-1")
    problem(other, 422, "idempotency_key_reused")
    assert Payment.objects.count() == 2


@pytest.mark.parametrize(
    "body", [{}, {"payment_method": None}, {"payment_method": ""}, {"payment_method": "visa"},
             {"payment_method": 4242}, {"payment_method": "pm_" + "x" * 200}],
)  # fmt: skip
def test_token_is_checked(api, order, path, body):
    answer = problem(api.post(path, body), 400, "invalid")

    assert answer["errors"][0]["field"] == "payment_method"
    assert Payment.objects.count() == 1
    assert Order.objects.get().status == "PAYMENT_FAILED"


def test_card_numbers_are_refused(api, path):
    body = {"payment_method": "4242424242424242"}
    problem(api.post(path, body), 400, "card_data_refused")


def test_stranger_finds_nothing(order, path):
    problem(Api().post(path, CARD), 404, "not_found")
    assert Payment.objects.count() == 1
