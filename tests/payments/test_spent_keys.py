"""Keys under which nothing can come any more: the order takes a new one, and never pays twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.orders.fulfilment.cancellation import request_cancellation
from apps.payments import charging, refunds
from apps.payments import gateway as gateways
from apps.payments.charging.authorization import KEY_BOUND_TO_OTHER_REQUEST
from apps.payments.gateway import GatewayOutcomeUnknown, GatewayRefused
from apps.payments.models import GatewayCall, Payment
from tests.orders.purchases import TOTAL, Shop

Keys = list[str]


def spend(monkeypatch: pytest.MonkeyPatch, verb: str, error: Callable[[], Exception]) -> Keys:
    """The first key of `verb` is bound to a failure for ever; the keys that were tried."""
    gateway = type(gateways.get_gateway())
    really, keys = getattr(gateway, verb), []

    def ask(self: Any, *given: Any, key: str, **named: Any) -> Any:
        keys.append(key.rpartition(":")[2])
        if key.endswith(":1"):
            raise error()
        return really(self, *given, key=key, **named)

    monkeypatch.setattr(gateway, verb, ask)
    return keys


def stored_500() -> Exception:
    return GatewayOutcomeUnknown("Internal error", replayed=True)


def other_words() -> Exception:
    return GatewayRefused("Keys for idempotent requests …", code=KEY_BOUND_TO_OTHER_REQUEST)


def some_minutes_pass(shop: Shop) -> None:
    GatewayCall.objects.update(created_at=F("created_at") - timedelta(minutes=3))
    shop.hurry()


@pytest.mark.parametrize("failure", [stored_500, other_words])
def test_authorization_whose_key_is_spent_takes_another_after_a_while(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, failure: Callable[[], Exception]
) -> None:
    keys = spend(monkeypatch, "authorize", failure)
    order_id = shop.place()
    for _ in range(3):  # at first it may still be under way at the gateway
        shop.run()
        shop.hurry()
    assert (set(keys), shop.payment(order_id).generation) == ({"1"}, 1)
    assert shop.saga(order_id).state == "forward"

    some_minutes_pass(shop)
    shop.run_hurried(order_id)

    assert (keys[-1], shop.payment(order_id).generation) == ("2", 2)
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.assert_confirmed(order_id)


def test_capture_whose_key_is_spent_takes_another_after_a_while(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = spend(monkeypatch, "capture", stored_500)
    order_id = shop.place()
    shop.run()
    some_minutes_pass(shop)
    shop.run_hurried(order_id)
    assert keys == ["1", "1", "2"]
    shop.assert_confirmed(order_id)


def test_void_whose_key_is_spent_takes_another_after_a_while(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = spend(monkeypatch, "void", stored_500)
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    request_cancellation(order_id)
    shop.run()
    some_minutes_pass(shop)
    shop.run_hurried(order_id)
    assert keys == ["1", "1", "2"]
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    shop.assert_cancelled(order_id)


def test_called_off_with_a_spent_key_nothing_is_authorized_to_be_voided(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(monkeypatch, "authorize", stored_500)
    order_id = shop.place()
    shop.run()
    request_cancellation(order_id)
    shop.run()
    assert shop.saga(order_id).state == "undoing"

    some_minutes_pass(shop)
    shop.run_hurried(order_id)

    assert (shop.intents(), shop.payment(order_id).generation) == ([], 1)
    shop.assert_cancelled(order_id)


def test_spent_key_under_which_something_was_made_is_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 500 after executing: the charge is there, and found."""
    shop.sandbox.faults(
        {"fault": "error_500_after", "count": 1, "operations": ["payment_intents.create"]}
    )
    order_id = shop.place()
    shop.run()
    some_minutes_pass(shop)
    shop.run_hurried(order_id)
    assert (len(shop.intents()), shop.payment(order_id).generation) == (1, 1)
    shop.assert_confirmed(order_id)


def test_late_answer_wins_over_the_new_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked, found nothing, and before that is written down a webhook tells of a charge."""
    spend(monkeypatch, "authorize", stored_500)
    order_id = shop.place()
    shop.run()
    some_minutes_pass(shop)
    results = charging.ask(charging.authorizations([order_id]))
    assert [result.spent for result in results] == [True]
    Payment.objects.update(intent_id="pi_late", status="authorized")

    record(results, order_id)

    payment = shop.payment(order_id)
    assert (payment.generation, payment.intent_id) == (1, "pi_late")


def test_two_workers_that_found_nothing_take_one_new_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(monkeypatch, "authorize", stored_500)
    order_id = shop.place()
    shop.run()
    some_minutes_pass(shop)
    found = [charging.ask(charging.authorizations([order_id])) for _ in range(2)]
    for results in found:
        record(results, order_id)
    assert shop.payment(order_id).generation == 2


def test_deploy_that_changes_the_parameters_of_a_key_finds_the_charge(
    shop: Shop, settings: Any
) -> None:
    """The mark of the shop is part of what the key stands for."""
    shop.sandbox.faults(
        {"fault": "reset_after", "count": 1, "operations": ["payment_intents.create"]}
    )
    order_id = shop.place()
    shop.run()
    settings.SHOP_URL = "https://moved.example"

    shop.run_hurried(order_id)

    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


def record(results: list[charging.GatewayResult], order_id: UUID) -> None:
    with transaction.atomic():
        charging.record(results, order_ids=[order_id])


# --- Refunds --------------------------------------------------------------------------------------


def spent_refunds(monkeypatch: pytest.MonkeyPatch) -> Keys:
    """The first key of every refund is bound to a failure for ever; the keys that were tried."""
    gateway = type(gateways.get_gateway())
    really, keys = gateway.refund, []

    def refund(self: Any, intent_id: str, *, key: str, **given: Any) -> Any:
        keys.append(":".join(key.split(":")[2:]))
        if not keys[-1]:
            raise stored_500()
        return really(self, intent_id, key=key, **given)

    monkeypatch.setattr(gateway, "refund", refund)
    return keys


def test_refund_whose_key_is_spent_takes_another_after_a_while(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    keys = spent_refunds(monkeypatch)
    refunds.request_refund(order_id, amount=500, purpose="admin:1", reason="cup", actor="clerk")
    for _ in range(4):
        refunds.send_due()
        if len(keys) == 2:
            some_minutes_pass(shop)
        refunds.Refund.objects.update(due_at=Now())

    assert keys == ["", "", "", "2"]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 500)]
    assert shop.payment(order_id).refunded_amount == 500
    shop.assert_audit_clean()


def test_cancellation_whose_refunds_key_is_spent_ends(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    keys = spent_refunds(monkeypatch)
    request_cancellation(order_id)
    shop.run()
    some_minutes_pass(shop)
    shop.run_hurried(order_id)
    assert keys == ["", "", "2"]
    shop.assert_cancelled(order_id)
