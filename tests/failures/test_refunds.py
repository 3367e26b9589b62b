"""Refunds: sent twice, or together above the total."""

from typing import Any

import pytest
from django.test import Client

from apps.orders.models import Order
from apps.payments.models import Refund
from apps.payments.refunds import send_due
from tests.backoffice.conftest import form_id, messages_of, order_page, signed_in
from tests.factories import make_clerk
from tests.failures.shoppers import meet, no_row_locks
from tests.orders.purchases import TOTAL, Shop, at_once


@pytest.fixture
def clerks(shop: Shop) -> list[Client]:
    """Two people in the back office."""
    return [signed_in(make_clerk(email=f"clerk{n}@kettleandpine.example")) for n in range(2)]


def refund_rows() -> list[tuple[int, str]]:
    return list(Refund.objects.order_by("created_at").values_list("amount", "status"))


@pytest.mark.race
def test_double_click_refunds_once(shop: Shop, clerks: list[Client]) -> None:
    url = order_page(shop.place_confirmed(), "refund")
    entry = {"form_id": form_id(clerks[0], url), "amount": "15.00", "reason": "a chip"}
    fingers = [Client() for _ in range(4)]
    for finger in fingers:
        finger.cookies = clerks[0].cookies

    answers = at_once(4, lambda n: fingers[n].post(url, entry).status_code)
    at_once(3, lambda _: send_due())

    assert set(answers) <= {200, 302}
    order_id = Order.objects.get().pk
    assert refund_rows() == [(1500, "succeeded")]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 1500)]
    assert shop.payment(order_id).refunded_amount == 1500
    assert (shop.stock(), shop.order(order_id).status) == ((9, 0), "CONFIRMED"), "money only"
    shop.assert_audit_clean()


def two_partial_refunds(clerks: list[Client], url: str) -> list[Any]:
    """Both forms were opened while the whole amount was left; both are sent at once."""
    forms = [form_id(clerk, url) for clerk in clerks]
    return at_once(
        2,
        lambda n: clerks[n].post(
            url, {"form_id": forms[n], "amount": "15.00", "reason": f"clerk {n}"}
        ),
    )


@pytest.mark.race
def test_two_partial_refunds_at_once_do_not_pass_the_total(
    shop: Shop, clerks: list[Client]
) -> None:
    order_id = shop.place_confirmed()

    answers = two_partial_refunds(clerks, order_page(order_id, "refund"))
    send_due()

    done, refused = sorted(answers, key=lambda answer: -answer.status_code)
    assert (done.status_code, refused.status_code) == (302, 200)
    assert refused.context["form"].errors == {"amount": ["At most $10.48 is left to refund."]}
    assert refund_rows() == [(1500, "succeeded")]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 1500)]
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_two_partial_refunds_without_the_lock_pass_the_total(
    shop: Shop, clerks: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    no_row_locks(monkeypatch)
    meet(monkeypatch, Refund.objects, "create")

    answers = two_partial_refunds(clerks, order_page(order_id, "refund"))

    assert [answer.status_code for answer in answers] == [302, 302], [
        messages_of(a) for a in answers
    ]
    assert sum(amount for amount, _ in refund_rows()) == 3000 > TOTAL
