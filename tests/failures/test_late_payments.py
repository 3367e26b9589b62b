"""Payments whose end comes late, early or never: no order too soon, none stuck for ever."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from apps.orders.models import Order
from apps.payments import gateway as gateways
from apps.payments import inbox
from tests.factories import a_mug
from tests.failures.shoppers import CHALLENGE, Shopper
from tests.orders.purchases import TOTAL, Shop, an_event

# --- `processing` webhook makes an order early ----------------------------------------------------


def processing_gateway(patch: pytest.MonkeyPatch) -> list[str]:
    """A slow bank: every payment is `processing` until the list is emptied."""
    gateway, thinking = gateways.get_gateway(), ["hm"]

    def slow(verb: Any) -> Any:
        def answer(*given: Any, **named: Any) -> Any:
            intent = verb(*given, **named)
            return replace(intent, status="processing") if thinking else intent

        return answer

    for name in ("authorize", "retrieve"):
        patch.setattr(gateway, name, slow(getattr(gateway, name)))
    return thinking


def test_processing_webhook_does_not_make_an_order_early(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    thinking = processing_gateway(monkeypatch)
    order_id = alice.buys()
    shop.run()
    (intent,) = shop.sandbox.client().raw_request("get", "/v1/payment_intents").data["data"]
    processing = dict(intent) | {"status": "processing", "amount_capturable": 0}

    assert shop.post_webhook(an_event("payment_intent.processing", processing)) == 200
    assert inbox.apply_due() == 1
    shop.run()

    assert alice.sees(order_id) == "PENDING"
    assert shop.payment(order_id).status == "created"
    assert shop.at_gateway(order_id) == [("requires_capture", 0, 0)], "nothing was captured"
    assert (shop.stock(), shop.movements()) == ((10, 1), [("initial", 10)])
    assert shop.mails(order_id) == []
    assert shop.run() == 0, "it waits for the gateway's word"

    thinking.clear()
    shop.hear("payment_intent.amount_capturable_updated")
    shop.run()
    assert alice.sees(order_id) == "CONFIRMED"
    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


# --- Failed webhook ignored, thousands stuck pending ----------------------------------------------


@pytest.fixture
def thirty_refused(shop: Shop) -> tuple[Any, list[UUID]]:
    """Thirty orders of one mug each, the whole stock, all refused in 3-D Secure."""
    mug = a_mug(stock=30)
    order_ids = [
        shop.place((mug, 1), card=CHALLENGE, email=f"shopper{n}@example.com") for n in range(30)
    ]
    shop.run()
    for order_id in order_ids:
        shop.answer_challenge(order_id, "refuse")
    return mug, order_ids


@pytest.mark.usefixtures("declines_are_final")
def test_failed_webhooks_end_every_order_and_free_its_unit(
    shop: Shop, alice: Shopper, thirty_refused: tuple[Any, list[UUID]]
) -> None:
    mug, order_ids = thirty_refused
    assert shop.stock(mug) == (30, 30)

    shop.hear("payment_intent.payment_failed")
    shop.run()

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert shop.stock(mug) == (30, 0)
    assert {i["status"] for i in shop.intents()} == {"canceled"}
    for order_id in order_ids[:3]:
        shop.assert_cancelled(order_id)
    shop.assert_confirmed(bought(shop, alice.buys((mug, 30))))


@pytest.mark.usefixtures("declines_are_final")
def test_failed_webhooks_that_never_come_leave_no_order_pending_past_its_deadline(
    shop: Shop, thirty_refused: tuple[Any, list[UUID]]
) -> None:
    mug, order_ids = thirty_refused
    assert shop.run() == 0, "no webhook has told us"

    for order_id in order_ids:
        shop.pass_deadline(order_id)
    shop.run()

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert shop.stock(mug) == (30, 0)
    assert not any(i["amount_received"] for i in shop.intents())
    shop.assert_cancelled(order_ids[0])


def bought(shop: Shop, order_id: UUID) -> UUID:
    shop.run()
    return order_id


# --- Auto-cancel though the payment came ----------------------------------------------------------


def test_deadline_does_not_cancel_an_order_whose_webhook_was_lost(
    shop: Shop, alice: Shopper
) -> None:
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "approve")  # and its webhook is lost

    shop.pass_deadline(order_id)
    shop.run()

    assert alice.sees(order_id) == "CONFIRMED"
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.assert_confirmed(order_id)
    shop.hear()  # it comes after all
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


@pytest.mark.parametrize("also_captured", [False, True])
def test_payment_that_comes_while_the_order_is_cancelled_goes_back(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch, also_captured: bool
) -> None:
    """The shopper approves between the worker's last request and its void; or staff capture."""
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    gateway, bank_page = gateways.get_gateway(), urlsplit(shop.payment(order_id).next_action_url)
    void, came = gateway.void, []

    def just_before(intent_id: str, *, key: str) -> Any:
        # In a thread of the gateway's: it has no connection to the database, and takes none.
        if not came:
            came.append(intent_id)
            shop.sandbox.raw("POST", bank_page.path, "decision=approve", key="")
            if also_captured:
                shop.sandbox.client().raw_request(
                    "post", f"/v1/payment_intents/{intent_id}/capture"
                )
        return void(intent_id, key=key)

    monkeypatch.setattr(gateway, "void", just_before)

    shop.pass_deadline(order_id)
    shop.run_hurried(order_id)
    shop.hear()
    shop.run()

    back = ("succeeded", TOTAL, TOTAL) if also_captured else ("canceled", 0, 0)
    assert (came != [], shop.at_gateway(order_id)) == (True, [back])
    assert alice.sees(order_id) == "CANCELLED"
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(order_id)
