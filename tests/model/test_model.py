"""The real shop and a shop on paper, told the same stories, are in the same state after each line.

    machine.py       what can happen, by the rules of
                     buying.py, working.py, paying.py, fulfilling.py
    rules.py         what rules are made of
    picking.py       what rules pick orders from
    both.py          how the two shops are set up, compared, and brought to an end
    ledger.py        the shop on paper
    paper_order.py   an order on paper
    workers.py       workers that die and freeze

In the suite the stories are the same every time. A longer hunt tells other ones:

    MODEL_EXAMPLES=300 MODEL_STEPS=60 python -m pytest tests/model -k all_stories

What it finds is printed as a short program of the machine's rules. Shortening takes minutes;
MODEL_SHRINK=0 prints the story as it was found. MODEL_SWARM=1 gives each story only some of the
rules, and so other kinds of stories.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.inventory import holds, stock
from apps.orders.saga import claims, engine, placement, updates
from apps.payments import gateway as gateways
from apps.payments import refunds
from apps.payments.inbox import claiming
from apps.payments.stripe_gateway import StripeGateway
from apps.promos import redeem
from tests.model.machine import ShopMachine
from tests.model.workers import Fates
from tests.orders.purchases import Shop
from tests.payments.sandbox_process import KEY

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "20"))
STEPS = int(os.environ.get("MODEL_STEPS", "25"))
SWARM = "MODEL_SWARM" in os.environ
A_HUNT = "MODEL_EXAMPLES" in os.environ
PHASES = [Phase.generate] + [Phase.shrink] * (os.environ.get("MODEL_SHRINK") != "0")


@pytest.fixture
def machine(
    shop: Shop, empty_all_redis: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> type[ShopMachine]:
    """The machine over this test's shop, in which only rules make time pass.

    Backoffs and leases take an hour, and the gateway is waited for: on a busy machine, too, the
    same numbers are the same story.
    """
    fates = Fates()
    fates.install(monkeypatch)
    monkeypatch.setattr(placement, "BACKOFF_FIRST", 3600.0)
    monkeypatch.setattr(placement, "BACKOFF_CAP", 3600.0)
    monkeypatch.setattr(updates, "LEASE", timedelta(hours=1))
    for module, table in ((claims, "SAGAS"), (claiming, "INBOX"), (refunds, "SENDING")):
        longer = replace(getattr(module, table), lease=timedelta(hours=1))
        monkeypatch.setattr(module, table, longer)
    patient = StripeGateway(secret_key=KEY, api_host=shop.sandbox.url, read_timeout_s=30)
    monkeypatch.setattr(gateways, "_gateway", patient)
    of_this_test = {
        "shop": shop,
        "fates": fates,
        "empty_all_redis": staticmethod(empty_all_redis),
        "swarm": SWARM,
    }
    return type("ShopMachine", (ShopMachine,), of_this_test)


def tell_stories(machine: type[ShopMachine], **given: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            **{
                "max_examples": EXAMPLES,
                "stateful_step_count": STEPS,
                "deadline": None,
                "database": None,
                "phases": PHASES,
                "derandomize": not A_HUNT,
                "print_blob": True,
                "suppress_health_check": list(HealthCheck),
            }
            | given
        ),
    )


def test_shop_is_as_on_paper_in_all_stories(machine: type[ShopMachine]) -> None:
    tell_stories(machine)


SECOND_CARDS = (
    *("buys_now", "tries_another_card", "answers_their_bank", "is_called_off"),
    *("worker_does_all_that_is_due", "frozen_worker_wakes", "time_passes", "deadline_passes"),
    *("gateway_stumbles_over_an_order", "all_webhooks_of_an_order_arrive", "webhooks_are_applied"),
)


def test_shop_is_as_on_paper_when_second_cards_are_tried(machine: type[ShopMachine]) -> None:
    tell_stories(machine.about(*SECOND_CARDS))


# --- That it can fail ---------------------------------------------------------------------------


def units_are_not_given_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holds, "release", lambda order_ids: None)


def codes_are_not_given_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redeem, "release", lambda order_ids: None)


def refunds_are_not_added_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refunds, "refundable", lambda payment: payment.captured_amount)


def cancellation_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The worker does not look again whether the order was called off meanwhile."""
    patch.setattr(
        engine, "still_ours", lambda group, real=engine.still_ours: real(group) and list(group)
    )


def returned_goods_stay_off_the_shelf(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stock, "receive", lambda **delivery: None)


BUYING = ("buys_now", "worker_does_all_that_is_due")
GIVING_BACK = ("clerk_gives_money_back", "refunds_are_sent")
RETURNING = ("return_is_announced", "return_is_received")


# Where a story fails that has found something: by a rule's answer, or when the shops are compared.
COMPARING = (
    *("both.py", "ledger.py", "paper_order.py"),
    *("rules.py", "buying.py", "working.py", "paying.py", "fulfilling.py"),
)

PLANTED = [
    (units_are_not_given_back, BUYING),
    (codes_are_not_given_back, BUYING),
    (refunds_are_not_added_up, GIVING_BACK),
    (returned_goods_stay_off_the_shelf, RETURNING),
    (cancellation_is_forgotten, (*BUYING, "is_called_off", "frozen_worker_wakes")),
]


@pytest.mark.parametrize(
    ("defect", "about"), PLANTED, ids=[defect.__name__ for defect, _ in PLANTED]
)
def test_stories_find_a_planted_defect(
    machine: type[ShopMachine],
    monkeypatch: pytest.MonkeyPatch,
    defect: Callable[[pytest.MonkeyPatch], None],
    about: tuple[str, ...],
) -> None:
    """Stories that are about something: the others find it too, in minutes."""
    defect(monkeypatch)
    with pytest.raises(AssertionError) as found:
        tell_stories(
            machine.about(*about),
            phases=[Phase.generate],
            report_multiple_bugs=False,  # nor look for more, once there is one
            max_examples=300,
            stateful_step_count=12,
            derandomize=True,
        )
    by = found.traceback[-1]
    assert by.path.name in COMPARING, f"{by.path}: not by comparing"
