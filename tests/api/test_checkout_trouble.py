"""POST /checkouts/ when the intake is in trouble, or many send at once."""

import pytest

from apps.orders import intake
from apps.orders.errors import IdempotencyInFlight, OutcomeUnknown, Overloaded
from apps.orders.models import Order
from tests.api.conftest import Api, held, problem
from tests.threads import at_once


def test_key_in_flight_says_when_to_come_back(api, buy, monkeypatch):
    def in_flight(request):
        raise IdempotencyInFlight

    monkeypatch.setattr(intake, "place_order", in_flight)
    answer = api.checkout(buy())

    problem(answer, 409, "idempotency_in_flight")
    assert int(answer["Retry-After"]) >= 1


def test_overload_is_shed_before_anything_is_written(api, buy, settings):
    settings.INTAKE_QUEUE_MAX = 0
    answer = api.checkout(buy())

    problem(answer, 503, "overloaded")
    assert int(answer["Retry-After"]) >= 1
    assert not Order.objects.exists()


@pytest.mark.parametrize("error", [Overloaded(3), OutcomeUnknown()])
def test_trouble_of_the_intake_is_503(api, buy, monkeypatch, error):
    def fail(request):
        raise error

    monkeypatch.setattr(intake, "place_order", fail)
    answer = api.checkout(buy())

    assert answer.status_code == 503
    assert answer["Retry-After"] == str(error.retry_after)
    assert answer["Content-Type"] == "application/problem+json"


def test_unexpected_error_shows_no_traceback(api, buy, monkeypatch):
    def fail(request):
        raise RuntimeError("secret sk_test_abc")

    monkeypatch.setattr(intake, "place_order", fail)
    answer = api.checkout(buy())

    problem(answer, 500, "internal_error")
    assert b"sk_test" not in answer.content


@pytest.mark.race
def test_twenty_doubles_of_one_key_make_one_order(buy, mug):
    body = buy()

    answers = at_once(20, lambda number: Api().checkout(body, key="double"))

    assert Order.objects.count() == 1
    assert held(mug) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    assert accepted and all(document == accepted[0] for document in accepted)
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "idempotency_in_flight")


@pytest.mark.race
def test_last_units_go_to_as_many_as_there_are(buy, mug):
    answers = at_once(12, lambda number: Api().checkout(buy(email=f"b{number}@example.com")))

    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [409] * 9
    assert held(mug) == 3
