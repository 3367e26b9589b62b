"""The table of steps tells what runs, in which order, by whom, and what a refusal means."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from apps.orders.models import OrderEvent, Saga
from apps.orders.saga import engine, placement, steps, undone, updates
from apps.orders.saga.outcomes import CancelReason, Refused
from apps.orders.saga.steps import CHECKOUT, REFUSALS, redeem_promo, reserve_stock
from tests.factories import PromoFactory
from tests.orders.purchases import Shop

BY_INTAKE = [step.name for step in CHECKOUT if step.run_by == "intake"]
BY_WORKER = [step.name for step in CHECKOUT if step.run_by == "worker"]


def test_intake_runs_its_steps_in_the_order_of_the_table(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def recorded(module: Any) -> Any:
        do = module.do

        def run(checkouts: Any) -> Any:
            ran.append(module.__name__.rpartition(".")[2])
            return do(checkouts)

        return run

    for module in (reserve_stock, redeem_promo):
        monkeypatch.setattr(module, "do", recorded(module))

    shop.place(promo=PromoFactory(one_use=True))

    assert ran == BY_INTAKE
    assert [step.name for step in CHECKOUT] == BY_INTAKE + BY_WORKER


@pytest.mark.parametrize("step", CHECKOUT, ids=lambda step: step.name)
def test_step_declares_every_reason_that_its_module_names(step: steps.Step) -> None:
    module = import_module(f"apps.orders.saga.steps.{step.name}")
    named = {value for value in vars(module).values() if isinstance(value, CancelReason)}
    assert named == set(step.refuses_for)
    assert step.do is module.do


def test_reason_is_found_again_by_its_code() -> None:
    declared = [reason for step in CHECKOUT for reason in step.refuses_for]
    assert len(declared) == len(REFUSALS)
    longest = Saga._meta.get_field("cancel_reason").max_length
    assert all(0 < len(code) <= longest for code in REFUSALS)


@pytest.mark.parametrize("module", [engine, placement, updates], ids=lambda m: m.__name__)
def test_engine_names_no_step_and_no_reason(module: Any) -> None:
    text = Path(module.__file__).read_text()
    names = [*(f'"{name}"' for name in steps.BY_NAME), *(f'"{code}"' for code in REFUSALS)]
    assert [name for name in names if name in text] == []


@pytest.mark.parametrize(
    ("moves_to", "statuses"),
    [
        ("", ["PENDING", "CANCELLED"]),
        ("PAYMENT_FAILED", ["PENDING", "PAYMENT_FAILED", "CANCELLED"]),
    ],
)
def test_order_moves_as_the_reason_of_the_refusal_says(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, moves_to: str, statuses: list[str]
) -> None:
    moon = CancelReason("full_moon", "We do not sell at full moon.", moves_to=moves_to)
    monkeypatch.setitem(undone.REASONS, moon.code, moon)
    order_id = shop.place()
    step = steps.BY_NAME["authorize_payment"]

    def refuse(claimed: Any, results: Any) -> Any:
        return {each.order_id: Refused(moon, "Look up.") for each in claimed}

    monkeypatch.setitem(steps.BY_NAME, step.name, replace(step, do=refuse))

    shop.run_hurried(order_id)

    assert shop.statuses(order_id) == statuses
    messages = dict(OrderEvent.objects.values_list("status", "message"))
    assert messages["CANCELLED"] == "We do not sell at full moon. You have not been charged."
    assert messages.get("PAYMENT_FAILED", "Look up.") == "Look up."
    assert shop.saga(order_id).cancel_reason == "full_moon"


def test_each_step_has_a_log_of_its_own(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="apps.orders.saga.steps")
    shop.place_confirmed()

    lines = [(r.name, r.getMessage()) for r in caplog.records if "saga.steps" in r.name]
    assert [name for name, _ in lines] == [f"apps.orders.saga.steps.{name}" for name in BY_WORKER]
    assert all(
        message.startswith("do in ") and message.endswith("{'done': 1}") for _, message in lines
    )
