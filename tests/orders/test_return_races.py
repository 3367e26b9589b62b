"""Goods that arrive while money of an earlier return is recorded: nobody waits crosswise."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from django.db import transaction

from apps.orders import transitions
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.orders.models import Order
from apps.payments import refunds
from apps.payments.models import Payment, Refund
from tests.orders.purchases import Shop, at_once


@pytest.fixture
def half_back(shop: Shop) -> tuple[Shop, Any, Any, Any]:
    """Two mugs, delivered; the refund of the first is at the gateway, the second is announced."""
    order_id = shop.place_delivered((shop.mug, 2))
    first, second = (
        request_return(order_id, lines=[(shop.mug.sku, 1)], reason="too large") for _ in range(2)
    )
    receive_return(first.pk, actor="clerk")
    refund = Refund.objects.get()
    sent = refunds.ask(refunds.get_gateway().admit(), refund, shop.payment(order_id)).refund
    return shop, second, refund, sent


def at_the_same_time(half_back: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record the refund and receive the second return, each holding its first lock."""
    _, second, refund, sent = half_back
    both_have_one = threading.Barrier(2)

    def wait() -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_one.wait(timeout=0.7)  # broken: the other waits for a lock, as it should

    note, get = transitions.note, type(Order.objects.all()).get

    def note_later(*given: Any, **named: Any) -> None:
        wait()
        note(*given, **named)

    def get_and_wait(self: Any, *given: Any, **named: Any) -> Any:
        found = get(self, *given, **named)
        if self.model is Order and self.query.select_for_update:
            wait()
        return found

    monkeypatch.setattr(transitions, "note", note_later)
    monkeypatch.setattr(type(Order.objects.all()), "get", get_and_wait)

    def happens(number: int) -> bool:
        if number:
            return receive_return(second.pk, actor="clerk")
        with transaction.atomic():
            return refunds.settle(refund.pk, sent)

    return at_once(2, happens)


@pytest.mark.race
def test_return_received_while_a_refund_is_recorded_does_not_deadlock(
    half_back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = half_back[0]
    with monkeypatch.context() as patched:
        assert at_the_same_time(half_back, patched) == [True, True]
    refunds.send_due()
    shop.assert_audit_clean()


@pytest.mark.race
def test_locking_the_order_first_would_deadlock(
    half_back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the payment is not locked where the return begins."""
    queryset = type(Payment.objects.all())
    lock = queryset.select_for_update
    mine = threading.local()

    def lock_later(self: Any, **named: Any) -> Any:
        first = self.model is Payment and not getattr(mine, "asked", False)
        if threading.current_thread().name == "receives" and first:
            mine.asked = True
            return self
        return lock(self, **named)

    def named(return_id: Any, *, actor: str) -> bool:
        threading.current_thread().name = "receives"
        return receive(return_id, actor=actor)

    receive = receive_return
    with monkeypatch.context() as patched:
        patched.setattr(queryset, "select_for_update", lock_later)
        patched.setitem(globals(), "receive_return", named)
        answers = at_the_same_time(half_back, patched)

    assert any("deadlock" in str(answer) for answer in answers), answers
