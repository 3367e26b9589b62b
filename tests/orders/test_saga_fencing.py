"""Two workers and one saga: only the one that holds the newest claim writes anything."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from apps.inventory.stock import receive
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import OrderEvent, Saga, SagaStep
from apps.orders.saga import claims, engine, placement, updates
from apps.orders.saga import steps as saga_steps
from apps.orders.saga.placement import SagaUpdate
from apps.orders.saga.step import all_done, ids
from apps.payments.charging import asking
from apps.payments.models import GatewayCall
from tests.failures.shoppers import changed
from tests.orders.purchases import Shop, at_once


def everything_written(order_id: Any) -> tuple[Any, ...]:
    return (
        Saga.objects.filter(pk=order_id).values_list().get(),
        list(SagaStep.objects.filter(saga_id=order_id).order_by("id").values_list()),
        list(OrderEvent.objects.filter(order_id=order_id).order_by("id").values_list()),
        GatewayCall.objects.count(),
    )


@pytest.mark.parametrize("step", [s.name for s in saga_steps.CHECKOUT if s.run_by == "worker"])
def test_zombie_that_wakes_after_its_lease_writes_nothing(shop: Shop, step: str) -> None:
    order_id = shop.place()
    shop.run_until_step(order_id, step)
    (zombie,) = engine.claim()
    shop.end_leases()
    shop.run()  # another worker claims and finishes
    shop.assert_confirmed(order_id)
    before = everything_written(order_id)

    engine.run([zombie])

    assert everything_written(order_id) == before
    assert shop.stock() == (9, 0)
    shop.assert_confirmed(order_id)


def test_zombie_of_the_same_step_loses_to_the_later_claim(shop: Shop) -> None:
    order_id = shop.place()
    (zombie,) = engine.claim()
    shop.end_leases()
    (worker,) = engine.claim()
    assert (zombie.epoch, worker.epoch) == (1, 2)
    before = everything_written(order_id)

    engine.run([zombie])

    assert everything_written(order_id) == before
    engine.run([worker])
    assert shop.log(order_id) == ["do authorize_payment: done", "do confirm_stock: done"]
    assert len(shop.intents()) == 1, "both asked under one key"
    shop.run()
    shop.assert_confirmed(order_id)


def test_zombie_neither_renews_a_lease_nor_fails_a_step(shop: Shop) -> None:
    order_id = shop.place()
    (zombie,) = engine.claim()
    shop.end_leases()
    engine.claim()
    before = everything_written(order_id)

    engine.renew([zombie])
    engine._write_failure(zombie, ValueError("late"))

    assert everything_written(order_id) == before


def test_worker_that_has_written_cannot_write_again(shop: Shop) -> None:
    """The same epoch, but the first write has ended the lease."""
    order_id = shop.place()
    (worker,) = engine.claim()
    engine.run([worker])
    before = everything_written(order_id)

    engine.run([worker])

    assert everything_written(order_id) == before


@pytest.mark.parametrize("direction", ["forward", "undoing"])
def test_commit_whose_answer_is_lost_is_not_written_again_though_the_claim_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    """The step is done, the saga one further, under the same epoch: it must not be moved back."""
    order_id = shop.place()
    shop.run_until_step(order_id, "confirm_stock")
    if direction == "undoing":
        request_cancellation(order_id)
    write, lost = engine._write, []

    def lose_the_answer(group, results):
        going_on = write(group, results)
        if not lost and group[0].state == direction and going_on:
            lost.append(group[0].step)
            raise OperationalError("server closed the connection unexpectedly")
        return going_on

    monkeypatch.setattr(engine, "_write", lose_the_answer)

    shop.run()  # the step after it waits for the lease, nothing else happens
    shop.end_leases()
    shop.run()

    assert lost
    assert shop.log(order_id, "retry") == []
    if direction == "undoing":
        shop.assert_cancelled(order_id)
    else:
        shop.assert_confirmed(order_id)


def test_unfenced_zombie_would_do_a_step_again_and_is_stopped_by_the_log(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the epoch the zombie gets through, up to UNIQUE (saga, step, done)."""
    order_id = shop.place()
    shop.run_until_step(order_id, "create_shipment")
    (zombie,) = engine.claim()
    shop.end_leases()
    monkeypatch.setattr(SagaUpdate, "goes_on", False)
    engine.advance()  # another worker ships
    assert shop.saga(order_id).step == "notify"
    monkeypatch.setattr(
        claims.SAGAS,
        "still_ours_statement",
        changed(
            claims.SAGAS.still_ours_statement,
            (" AND t.epoch = claimed_fence", ""),
            (" AND t.step = claimed_step AND t.state = claimed_state", ""),
            (" AND t.lease_until IS NOT NULL", ""),
        ),
    )
    written = []
    ship = saga_steps.BY_NAME["create_shipment"].do
    assert ship is not None

    with pytest.raises(Exception, match="step_done_once_per_direction"), transaction.atomic():
        (ours,) = engine.still_ours([zombie])
        written.append(ours)
        outcomes = ship([ours], [])
        updates.write([placement.after(ours, outcomes[order_id])])

    assert len(written) == 1, "the fence let it through"
    shop.end_leases()
    monkeypatch.undo()
    shop.run()
    shop.assert_confirmed(order_id)


def test_unfenced_zombie_with_another_effect_would_take_the_units_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: neither fence nor log. They protect real money and real units."""
    order_id = shop.place()
    shop.run_until_step(order_id, "notify")
    step = saga_steps.BY_NAME["notify"]
    told: list[Any] = []

    def tell(claimed, results):
        told.extend(ids(claimed))
        return all_done(claimed)

    monkeypatch.setitem(saga_steps.BY_NAME, "notify", replace(step, do=tell))
    (zombie,) = engine.claim()
    shop.end_leases()
    shop.run()
    engine.run([zombie])
    assert told == [order_id], "fenced: once"

    monkeypatch.setattr(
        claims.SAGAS,
        "still_ours_statement",
        """SELECT s.order_id, false, '' FROM orders_saga s
           JOIN json_to_recordset(%s::json) AS n(claimed_key uuid)
             ON s.order_id = n.claimed_key""",
    )
    monkeypatch.setattr(updates, "LOG_STEPS", "SELECT %s")
    engine.run([zombie])

    assert told == [order_id, order_id], "unfenced: twice"
    assert step.name == "notify"


@pytest.mark.race
def test_two_workers_on_fifty_orders_do_each_step_once(shop: Shop) -> None:
    receive(sku=shop.mug.sku, quantity=40, reason="restock", actor="clerk")
    order_ids = [shop.place() for _ in range(50)]

    def work(_: int) -> int:
        claimed = 0
        while Saga.objects.filter(state="forward").exists():
            claimed += engine.advance(limit=7)
        return claimed

    counts = at_once(2, work)

    steps = len([s for s in saga_steps.CHECKOUT if s.run_by == "worker"])
    asking = len([s for s in saga_steps.CHECKOUT if s.ask is not None])
    assert sum(counts) == 50 * asking, "the steps between follow under the same claim"
    assert min(counts) > 0, "both had a share"
    assert SagaStep.objects.count() == 50 * steps
    assert not SagaStep.objects.exclude(outcome="done").exists()
    assert Saga.objects.filter(state="done").count() == 50
    assert len(shop.intents()) == 50
    assert {i["status"] for i in shop.intents()} == {"succeeded"}
    assert shop.stock() == (0, 0)
    assert len(set(order_ids)) == 50
    shop.assert_audit_clean()


@pytest.mark.race
def test_claims_at_once_never_share_an_order(shop: Shop) -> None:
    for _ in range(8):
        shop.place()

    claimed = at_once(4, lambda _: [claimed.order_id for claimed in engine.claim(limit=8)])

    assert sorted(id for ids in claimed for id in ids) == sorted(
        Saga.objects.values_list("order_id", flat=True)
    )
    assert set(Saga.objects.values_list("epoch", "attempts")) == {(1, 1)}


def test_lease_is_renewed_while_the_gateway_thinks(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place()
    asked, answer_now = threading.Event(), threading.Event()
    gateway_ask = asking._ask_one

    def slow(request):
        asked.set()
        assert answer_now.wait(60)
        return gateway_ask(request)

    beats = []

    def beat(claimed):
        shop.end_leases()
        renew(claimed)
        beats.append(shop.saga(order_id).lease_until > shop.saga(order_id).updated_at)
        assert engine.claim() == [], "a renewed lease keeps others away"
        answer_now.set()

    renew = engine.renew
    monkeypatch.setattr(engine, "renew", beat)
    monkeypatch.setattr(asking, "_ask_one", slow)
    wait = asking.wait
    monkeypatch.setattr(
        asking,
        "wait",
        lambda futures, timeout: wait(futures, timeout=5 if beats else 0.01),
    )

    engine.advance()

    assert asked.is_set()
    assert beats == [True]
    shop.run()
    shop.assert_confirmed(order_id)


def test_connection_cut_in_the_middle_of_a_write_is_made_anew_and_the_step_done_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = [shop.place(), shop.place()]
    step = saga_steps.BY_NAME["capture_payment"]
    cuts = []

    def cut_off(claimed, results):
        outcomes = step.do(claimed, results)
        if not cuts:
            cuts.append(len(claimed))
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return outcomes

    monkeypatch.setitem(saga_steps.BY_NAME, step.name, replace(step, do=cut_off))

    shop.run()

    assert cuts == [2]
    for order_id in order_ids:
        assert shop.log(order_id).count("do capture_payment: done") == 1
        shop.assert_confirmed(order_id)
