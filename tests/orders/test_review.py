"""Orders that no retry helps: claimed alone, put into the review queue, decided by a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from apps.backoffice.models import Decision
from apps.core import leases
from apps.orders.errors import NotInReview, StillOpen
from apps.orders.fulfilment import shipping
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import OrderEvent, Saga
from apps.orders.saga import engine, review, steps
from apps.orders.saga.step import ids
from apps.payments import refunds
from apps.payments.charging import authorization
from apps.promos.models import Promo
from apps.shipping.models import Shipment
from tests.factories import PromoFactory
from tests.orders.purchases import Killed, Shop, at_once


class Venom(Exception):
    """What the poisoned order does to its step."""


def poison(
    patch: pytest.MonkeyPatch,
    name: str,
    order_id: UUID,
    *,
    undo: bool = False,
    error: Callable[[], BaseException] = lambda: Venom("cannot be digested"),
) -> list[list[UUID]]:
    """Make a step fail whenever `order_id` is in its batch; the batches that it was given."""
    step = steps.BY_NAME[name]
    write = step.undo if undo else step.do
    seen: list[list[UUID]] = []

    def digest(claimed: Any, results: Any) -> Any:
        seen.append(ids(claimed))
        if order_id in seen[-1]:
            raise error()
        return write(claimed, results)

    patch.setitem(steps.BY_NAME, name, replace(step, **{"undo" if undo else "do": digest}))
    return seen


def test_failing_order_goes_to_review_alone_and_its_mates_finish_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, *mates = [shop.place() for _ in range(4)]
    poison(monkeypatch, "confirm_stock", poisoned)

    shop.run()

    for order_id in mates:
        shop.assert_confirmed(order_id)
    assert (shop.saga(poisoned).state, shop.saga(poisoned).attempts) == ("forward", 1)
    for attempt in range(2, engine.MAX_ATTEMPTS + 1):
        shop.hurry()
        assert shop.run() == 1
        assert shop.saga(poisoned).attempts == attempt
    shop.hurry()
    shop.run()
    kept = shop.saga(poisoned)
    assert (kept.state, kept.reviewed_from, kept.due_at) == ("review", "forward", None)
    assert kept.review_reason == "forward confirm_stock did not succeed in 12 attempts"
    assert kept.last_error == "Venom: cannot be digested"
    assert shop.log(poisoned, "retry") == ["do confirm_stock: retry"] * 12
    assert shop.log(poisoned)[-1] == "do confirm_stock: review"
    assert shop.holds(poisoned) == ["active"], "its unit is held until a person decides"
    shop.pass_deadline(poisoned)
    shop.assert_audit_clean()


def test_order_that_goes_to_review_leaves_its_batch_together(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried_too_often, *mates = [shop.place() for _ in range(4)]
    Saga.objects.filter(pk=tried_too_often).update(attempts=engine.MAX_ATTEMPTS)
    batches = poison(monkeypatch, "authorize_payment", tried_too_often)

    shop.run()

    assert shop.log(tried_too_often) == ["do authorize_payment: review"]
    assert [set(batch) for batch in batches] == [set(mates)], "written once, and not one by one"
    for order_id in mates:
        shop.assert_confirmed(order_id)


def test_order_that_kills_its_worker_is_counted_then_claimed_alone_then_reviewed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, *mates = [shop.place() for _ in range(4)]
    shop.run_until_step(poisoned, "confirm_stock")
    seen = poison(monkeypatch, "confirm_stock", poisoned, error=lambda: Killed("by poison"))

    kills = 0
    while shop.saga(poisoned).state == "forward":
        try:
            shop.run()
        except Killed:
            kills += 1
        shop.end_leases()
    shop.run()

    assert kills == engine.MAX_ATTEMPTS
    assert shop.saga(poisoned).state == "review"
    together = [batch for batch in seen if poisoned in batch and len(batch) > 1]
    assert len(together) == leases.ALONE_AFTER, "from then on it kills no worker with other orders"
    for order_id in mates:
        shop.assert_confirmed(order_id)


def test_crashed_claims_are_claimed_while_new_orders_keep_coming(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order whose worker was killed twice by chance is claimed also during a flash sale."""
    unlucky = shop.place()
    for _ in range(leases.ALONE_AFTER):
        assert len(engine.claim()) == 1
        shop.end_leases()
    assert engine.claim() == [], "from now on it is claimed alone"

    shop.place()
    assert engine.advance(limit=1) == 2

    assert shop.log(unlucky) == ["do authorize_payment: done", "do confirm_stock: done"]
    shop.run()
    shop.assert_confirmed(unlucky)


def test_answer_that_cannot_be_read_fails_one_order_only(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, mate = shop.place(), shop.place()
    authorized = authorization.authorized_intent

    def unreadable(gateway, payment):
        if payment.order_id == poisoned:
            raise ValueError("'requires_mind_reading' is not a valid IntentStatus")
        return authorized(gateway, payment)

    monkeypatch.setattr(authorization, "authorized_intent", unreadable)

    shop.run()

    shop.assert_confirmed(mate)
    assert shop.log(poisoned) == ["do authorize_payment: retry"]
    assert "requires_mind_reading" in shop.saga(poisoned).last_error
    for _ in range(engine.MAX_ATTEMPTS):
        shop.hurry()
        shop.run()
    assert shop.saga(poisoned).state == "review"


def test_undo_that_always_fails_goes_to_review_and_keeps_what_is_not_given_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    with monkeypatch.context() as patch:
        poison(patch, "confirm_stock", order_id, undo=True)
        request_cancellation(order_id)
        for _ in range(engine.MAX_ATTEMPTS + 1):
            shop.run()
            shop.hurry()
    kept = shop.saga(order_id)
    assert (kept.state, kept.reviewed_from, kept.step) == ("review", "undoing", "confirm_stock")
    assert shop.order(order_id).status == "CONFIRMED"
    assert shop.at_gateway(order_id) == [("succeeded", 2548, 2548)]
    assert shop.stock() == (9, 0)

    review.retry(order_id, actor="clerk", reason="the stock was corrected")
    shop.run()

    assert shop.saga(order_id).cancel_reason == "shopper"
    shop.assert_cancelled(order_id)


# --- What a person decides ----------------------------------------------------------------------


def in_review_at(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str, **given: Any) -> UUID:
    """An order in review at `step`; the step works again."""
    order_id = shop.place(**given)
    with monkeypatch.context() as patch:
        poison(patch, step, order_id)
        for _ in range(engine.MAX_ATTEMPTS + 1):
            shop.run()
            shop.hurry()
    assert shop.saga(order_id).state == "review"
    return order_id


@pytest.fixture
def stuck(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """An order that is in review at confirm_stock: authorized, held, and not poisoned any more."""
    return in_review_at(shop, monkeypatch, "confirm_stock")


def decisions() -> list[tuple[str, str, str]]:
    return list(Decision.objects.order_by("id").values_list("decision", "actor", "reason"))


def test_order_in_review_stays_unchanged_until_a_person_decides(shop: Shop, stuck: UUID) -> None:
    shop.pass_deadline(stuck)
    Saga.objects.update(due_at="2020-01-01T00:00Z")
    assert shop.run() == 0
    assert shop.at_gateway(stuck) == [("requires_capture", 0, 0)]


def test_retry_goes_on_with_fresh_attempts(shop: Shop, stuck: UUID) -> None:
    epoch = shop.saga(stuck).epoch

    review.retry(stuck, actor="clerk", reason="the warehouse is back")

    kept = shop.saga(stuck)
    assert (kept.state, kept.attempts, kept.epoch, kept.review_reason) == (
        "forward",
        0,
        epoch + 1,
        "",
    )
    shop.run()
    shop.assert_confirmed(stuck)
    assert decisions() == [("retry", "clerk", "the warehouse is back")]


def test_undo_gives_everything_back(shop: Shop, stuck: UUID) -> None:
    review.undo(stuck, actor="clerk", reason="the mug is cracked")
    shop.run()
    assert shop.at_gateway(stuck) == [("canceled", 0, 0)]
    assert shop.stock() == (10, 0)
    assert shop.saga(stuck).cancel_reason == "staff"
    assert decisions() == [("undo", "clerk", "the mug is cracked")]
    shop.assert_cancelled(stuck)


def test_resolve_ends_the_saga_of_a_sale_that_only_lacks_its_mail(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = in_review_at(shop, monkeypatch, "notify")
    before = shop.statuses(order_id)

    review.resolve(order_id, actor="clerk", reason="told them on the phone")

    assert (shop.saga(order_id).state, shop.saga(order_id).due_at) == ("done", None)
    assert shop.run() == 0
    assert shop.statuses(order_id) == before
    assert decisions() == [("resolve", "clerk", "told them on the phone")]
    shop.assert_audit_clean()


def test_order_that_still_keeps_something_is_not_closed(shop: Shop, stuck: UUID) -> None:
    with pytest.raises(StillOpen) as refused:
        review.resolve(stuck, actor="clerk", reason="settled on the phone")

    assert refused.value.what == [
        "units are still held for it",
        "the order is PAYMENT_AUTHORIZED: neither confirmed nor cancelled",
        "the money is reserved at the bank: undo the order, or call it back at the gateway",
    ]
    assert shop.saga(stuck).state == "review"
    assert decisions() == []


def test_reserved_money_is_not_released(shop: Shop, stuck: UUID) -> None:
    with pytest.raises(StillOpen, match="the money is reserved at the bank"):
        review.resolve(stuck, actor="clerk", reason="let it go", let_go=True)

    assert (shop.holds(stuck), shop.stock()) == (["active"], (10, 1))
    assert shop.saga(stuck).state == "review"
    assert shop.at_gateway(stuck) == [("requires_capture", 0, 0)]


def test_order_voided_at_the_gateway_by_hand_is_released_and_cancelled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The undo cannot reach the gateway. A person voids the payment there; a webhook reports it."""
    order_id = in_review_at(shop, monkeypatch, "confirm_stock", promo=PromoFactory(one_use=True))
    shop.sandbox.client().v1.payment_intents.cancel(str(shop.payment(order_id).intent_id))
    shop.hear("payment_intent.canceled")

    with pytest.raises(StillOpen, match="units are still held for it; the order is PAYMENT_AUTH"):
        review.resolve(order_id, actor="clerk", reason="voided at the gateway")
    review.resolve(order_id, actor="clerk", reason="voided at the gateway", let_go=True)

    assert shop.saga(order_id).cancel_reason == "staff"
    assert shop.stock() == (10, 0)
    assert Promo.objects.get().used == 0
    ended = OrderEvent.objects.get(order_id=order_id, status="CANCELLED")
    assert ended.actor == "clerk"
    shop.assert_cancelled(order_id)


def test_sale_that_was_refunded_by_hand_is_released_with_its_label(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = in_review_at(shop, monkeypatch, "notify")
    total = shop.order(order_id).total_amount
    with pytest.raises(StillOpen, match="the money was taken and not given back"):
        review.resolve(order_id, actor="clerk", reason="not wanted any more", let_go=True)
    refunds.request_refund(order_id, amount=total, purpose="admin:1", reason="x", actor="clerk")
    refunds.send_due()

    review.resolve(order_id, actor="clerk", reason="not wanted any more", let_go=True)

    assert shop.stock() == (10, 0)
    assert shop.movements() == [("initial", 10), ("confirmed", -1), ("restocked", 1)]
    shop.assert_cancelled(order_id)


def test_order_whose_payment_never_reached_the_gateway_is_released(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(gateway: Any, payment: Any) -> Any:
        raise ValueError("no such answer is known")

    monkeypatch.setattr(authorization, "authorized_intent", unreadable)
    order_id = shop.place()
    for _ in range(engine.MAX_ATTEMPTS + 1):
        shop.run()
        shop.hurry()
    with pytest.raises(StillOpen, match="what it did is not known"):
        review.resolve(order_id, actor="clerk", reason="nothing there")

    review.resolve(order_id, actor="clerk", reason="nothing at the gateway", let_go=True)

    shop.assert_cancelled(order_id)


def test_shipped_goods_are_not_released(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = in_review_at(shop, monkeypatch, "notify")
    total = shop.order(order_id).total_amount
    refunds.request_refund(order_id, amount=total, purpose="admin:1", reason="x", actor="clerk")
    refunds.send_due()
    Shipment.objects.update(state="handed_over")

    with pytest.raises(StillOpen, match="the parcel has left"):
        review.resolve(order_id, actor="clerk", reason="gone", let_go=True)

    assert shop.order(order_id).status == "CONFIRMED"
    assert shop.stock() == (9, 0)


def test_undo_that_cannot_be_done_is_closed_as_the_sale_it_still_is(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation whose label cannot be cancelled: the order is shipped after all."""
    order_id = shop.place_confirmed()
    with monkeypatch.context() as patch:
        poison(patch, "create_shipment", order_id, undo=True)
        request_cancellation(order_id)
        for _ in range(engine.MAX_ATTEMPTS + 1):
            shop.run()
            shop.hurry()
    assert shop.saga(order_id).reviewed_from == "undoing"

    review.resolve(order_id, actor="clerk", reason="they take it after all")

    kept = shop.saga(order_id)
    assert (kept.state, kept.cancel_requested_at, kept.cancel_reason) == ("done", None, "")
    shipping.hand_to_carrier(order_id, actor="clerk")
    assert shop.order(order_id).status == "SHIPPED"
    shop.assert_audit_clean()


def test_every_decision_is_kept_also_when_the_order_returns_to_review(
    shop: Shop, stuck: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    review.retry(stuck, actor="alice", reason="perhaps now")
    with monkeypatch.context() as patch:
        poison(patch, "confirm_stock", stuck)
        for _ in range(engine.MAX_ATTEMPTS + 1):
            shop.hurry()
            shop.run()
    review.undo(stuck, actor="bob", reason="enough")

    assert decisions() == [("retry", "alice", "perhaps now"), ("undo", "bob", "enough")]
    shop.run()
    assert OrderEvent.objects.get(order_id=stuck, status="CANCELLED").actor == "bob"
    shop.assert_cancelled(stuck)


@pytest.mark.parametrize("decide", [review.retry, review.undo, review.resolve])
@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("clerk", ""), (" ", " ")])
def test_decision_without_actor_or_reason_is_none(
    shop: Shop, stuck: UUID, decide: Any, actor: str, reason: str
) -> None:
    with pytest.raises(ValueError, match="actor and a reason"):
        decide(stuck, actor=actor, reason=reason)
    assert shop.saga(stuck).state == "review"
    assert decisions() == []


@pytest.mark.parametrize("decide", [review.retry, review.undo, review.resolve])
def test_order_that_is_not_in_review_is_left_alone(shop: Shop, decide: Any) -> None:
    under_way, finished = shop.place(card="pm_card_threeDSecure2Required"), shop.place()
    shop.run()
    for order_id in (under_way, finished):
        before = Saga.objects.filter(pk=order_id).values().get()
        with pytest.raises(NotInReview):
            decide(order_id, actor="clerk", reason="a slip")
        assert Saga.objects.filter(pk=order_id).values().get() == before
    assert decisions() == []


@pytest.mark.race
def test_two_people_decide_at_once_and_one_is_told_that_it_is_done(shop: Shop, stuck: UUID) -> None:
    def decide(number: int) -> str:
        (review.retry if number else review.undo)(stuck, actor=f"clerk {number}", reason="now")
        return "decided"

    answers = at_once(2, decide)

    assert sorted(map(str, answers)) == ["", "decided"]
    assert len(decisions()) == 1
    shop.run()
    assert shop.saga(stuck).state in ("done", "undone")
    shop.assert_audit_clean()


def test_zombie_from_before_the_review_writes_nothing(shop: Shop) -> None:
    order_id = shop.place()
    (zombie,) = engine.claim()
    Saga.objects.update(
        state="review", reviewed_from="forward", review_reason="odd", lease_until=None
    )
    review.retry(order_id, actor="clerk", reason="looks fine")
    before = Saga.objects.values().get()
    engine.run([zombie])
    assert Saga.objects.values().get() == before
    shop.run()
    shop.assert_confirmed(order_id)
