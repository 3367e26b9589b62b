"""A busy hour in a minute: API and pages, every card, one to four lines, changed minds.

Forty orders by default, about ten seconds. More of them, and the figures for the note:

    JOURNEY_ORDERS=200 make test TESTS="tests/journeys/test_two_hundred_orders.py -s"
"""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.journeys.conftest import Good, Goods
from tests.journeys.lapsed import lapse
from tests.journeys.shopper import (
    CHALLENGED,
    DECLINED,
    MASTERCARD,
    NO_FUNDS,
    VISA,
    App,
    Browser,
    Placed,
    answer_challenge,
)
from tools.stack import Stack

pytestmark = pytest.mark.journey

ORDERS = int(os.environ.get("JOURNEY_ORDERS") or 40)
SHOPPERS = 8  # at the same time
WITHIN = 60  # seconds after the last order was placed, all must have come to an end

# (card, what the shopper does next, how it must end): how often in a hundred orders
HABITS = {
    (VISA, "waits", "confirmed"): 40,
    (MASTERCARD, "waits", "confirmed"): 10,
    (CHALLENGED, "approves", "confirmed"): 12,
    (CHALLENGED, "refuses", "declined"): 6,
    (CHALLENGED, "leaves it alone, then calls it off", "cancelled"): 4,
    (DECLINED, "waits", "declined"): 10,
    (NO_FUNDS, "waits", "declined"): 3,
    (NO_FUNDS, "tries another card", "confirmed"): 3,
    (VISA, "calls it off at once", "cancelled"): 6,
    (VISA, "calls it off when it is paid", "cancelled"): 6,
}


@dataclass(frozen=True)
class Plan:
    """One shopper's way through the shop."""

    by_page: bool
    basket: tuple[tuple[Good, int], ...]
    card: str
    then: str
    ends: str


def plans(count: int, goods: Goods) -> list[Plan]:
    """The same plans each time, every habit among them."""
    dice = random.Random(20)
    on_sale = [goods.mug, goods.kettle, goods.lamp, goods.candle]
    habits = [*HABITS, *dice.choices(list(HABITS), list(HABITS.values()), k=count)][:count]
    return [
        Plan(
            by_page=dice.random() < 0.4,
            basket=tuple((good, dice.randint(1, 3)) for good in dice.sample(on_sale, 1 + n % 4)),
            card=card,
            then=then,
            ends=ends,
        )
        for n, (card, then, ends) in enumerate(habits)
    ]


def place(plan: Plan, url: str) -> Placed:
    if not plan.by_page:
        return App(url).buy(*((good.sku, n) for good, n in plan.basket), card=plan.card)
    guest = Browser(url)
    for good, quantity in plan.basket:
        guest.add_to_cart(good.slug, quantity)
    return guest.check_out(card=plan.card).placed()


def act(plan: Plan, placed: Placed, app: App) -> None:
    """What the shopper does after ordering."""
    if plan.card == CHALLENGED:
        asked = app.follow(placed, "REQUIRES_ACTION")
        if plan.then in ("approves", "refuses"):
            answer_challenge(asked["next_action"]["url"], plan.then.removesuffix("s"))
    if plan.then == "tries another card":
        app.follow(placed, "PAYMENT_FAILED")
        app.pay_again(placed, VISA)
    if plan.then == "calls it off when it is paid":
        app.follow(placed, "CONFIRMED")
    if "calls it off" in plan.then:
        answer = app.ask("POST", f"/orders/{placed.id}/cancel/", X_Order_Token=placed.token)
        assert answer.status_code == 202, answer.text


def ending(placed: Placed, app: App) -> str:
    """`confirmed`, `declined` by a bank or the person at it, or `cancelled` by the shopper."""
    last = app.follow(placed)
    if last["status"] == "CONFIRMED":
        return "confirmed"
    return "cancelled" if last["message"].startswith("Cancelled at your request.") else "declined"


def test_all_come_to_their_end_and_the_books_balance(
    live_stack: Stack, goods: Goods, capsys: pytest.CaptureFixture[str]
) -> None:
    url, app = live_stack.url, App(live_stack.url)
    todo = plans(ORDERS, goods)
    lapse(live_stack)  # what tests before left waiting would come back while units are counted
    on_sale = {good for plan in todo for good, _ in plan.basket}
    before = {good: app.available(good.sku, good.slug) for good in on_sale}
    began = time.monotonic()

    def go(plan: Plan) -> Placed:
        placed = place(plan, url)
        act(plan, placed, App(url))
        return placed

    with ThreadPoolExecutor(SHOPPERS) as shoppers:
        placed = list(shoppers.map(go, todo))
    last_placed = time.monotonic()
    for plan, order in zip(todo, placed, strict=True):
        if plan.ends == "declined":
            app.follow(order, "PAYMENT_FAILED")
    lapse(live_stack)
    for plan, order in zip(todo, placed, strict=True):
        # Paid and called off: it is confirmed for a while yet.
        wanted = "CONFIRMED" if plan.ends == "confirmed" else "CANCELLED"
        assert app.follow(order, wanted)["status"] == wanted
    over = time.monotonic()

    ends = [ending(order, app) for order in placed]
    wrong = [(plan, end) for plan, end in zip(todo, ends, strict=True) if end != plan.ends]
    assert wrong == []
    sold = Counter[Good]()
    for plan in todo:
        if plan.ends == "confirmed":
            sold.update(dict(plan.basket))
    after = {good: app.available(good.sku, good.slug) for good in on_sale}
    assert after == {good: before[good] - sold[good] for good in on_sale}
    assert over - last_placed < WITHIN
    count = Counter(ends)
    with capsys.disabled():
        print(
            f"\n{ORDERS} orders ({sum(plan.by_page for plan in todo)} by page):"
            f" {count['confirmed']} confirmed, {count['declined']} declined,"
            f" {count['cancelled']} cancelled; placed in {last_placed - began:.1f} s,"
            f" all over {over - last_placed:.1f} s later"
        )
