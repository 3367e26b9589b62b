"""A real process kills itself at every declared point, once and twice in a row: it is harmless.

The points are not listed here. They are what the modules have declared, the saga's from its table
of steps, so that a new step is covered without a new test; a point of a new kind fails the suite
until a story leads to it.

Each case is one order of two kinds of things with a one-use code. A story brings it to the point,
the process that gets there dies by SIGKILL (a worker's child, a web worker, the mail's child), its
leases end, others go on. At the end all records of the order must be as if no process had died.

By default a process dies once at every point, in one of the stories that lead there, and twice at
every other point that can be reached twice. CRASHES=all runs every story at all of its points.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from apps.core import failpoints
from apps.notifications import delivery  # noqa: F401  declares its points
from apps.orders.saga import engine  # noqa: F401  likewise
from apps.orders.saga.steps import BY_NAME, CHECKOUT
from apps.payments import inbox, refunds  # noqa: F401  likewise
from apps.payments.reconciler import inspection  # noqa: F401  likewise
from tests.crashes.books import (
    CALLED_OFF,
    CHALLENGED,
    CONFIRMED,
    DECLINED,
    GOODS,
    UNDOING,
    back_from,
)
from tests.crashes.processes import is_alive
from tests.crashes.shop import Shop
from tests.journeys import shopper
from tests.waiting import until

pytestmark = pytest.mark.journey

SOLD = {sku: (-bought, 0) for sku, _, bought in GOODS}
NOTHING = {sku: (0, 0) for sku, _, _ in GOODS}
# A charge without an order must be ten minutes old before anything is done about it, and no process
# can be told that it is: tests/payments/test_reconciler_runs.py has those points, in one process.
ELSEWHERE = ("reconcile.note.", "reconcile.claim.", "reconcile.return.")
POINTS = tuple(p for p in failpoints.declared() if not p.startswith(ELSEWHERE))


# --- Stories --------------------------------------------------------------------------------------


def paid(shop: Shop, point: str, times: int) -> None:
    before = shop.stock_rows()
    shop.arm(point, times)

    placed = shop.place()
    shop.run_until_over(point, lambda: shop.is_over(placed), deaths=deaths(point, times))

    assert shop.books(placed) == CONFIRMED
    assert shop.since(before) == SOLD


def mailed(shop: Shop, point: str, times: int) -> None:
    """A death after sending and before recording sends the mail again: better twice than never."""
    until(shop.mails_are_out, "all mails are out")
    shop.arm(point, times)

    placed = shop.place()
    shop.run_until_over(
        point, lambda: shop.is_over(placed) and shop.mails_are_out(), deaths=deaths(point, times)
    )

    assert shop.books(placed) == CONFIRMED
    mail = shop.mail(placed, "order_confirmed")
    if point == "mail.after_send":
        shop.sent_again.add(mail)
        assert shop.mails_sent()[mail] == 1 + times
    else:
        assert shop.mails_sent()[mail] == 1


def cancelled_when_confirmed(shop: Shop, point: str, times: int) -> None:
    before = shop.stock_rows()
    placed = shop.place()
    shop.wait_for("CONFIRMED", placed)
    shop.arm(point, times)

    shop.cancel(placed)
    shop.run_until_over(point, lambda: shop.is_over(placed), deaths=deaths(point, times))

    assert shop.books(placed) == CALLED_OFF
    assert shop.since(before) == NOTHING


def declined(shop: Shop, point: str, times: int) -> None:
    before = shop.stock_rows()
    shop.arm(point, times)

    placed = shop.place(card=shopper.DECLINED)
    shop.run_until_over(point, lambda: shop.is_over(placed), deaths=deaths(point, times))

    assert shop.books(placed) == DECLINED
    assert shop.since(before) == NOTHING


def cancelled_while_its_worker_was_dead(shop: Shop, point: str, times: int) -> None:
    """Authorized, sold, not captured: the authorization is voided, nothing is refunded."""
    before = shop.stock_rows()
    first = "saga.capture_payment.do.before_ask"
    shop.arm(first)
    placed = shop.place()
    until(lambda: bool(shop.struck(first)), "the worker dies", why=shop.unfinished)
    until(lambda: not any(map(is_alive, shop.struck(first))), "the worker is dead")
    shop.cancel(placed)
    shop.arm(point, times)

    shop.time_passes()
    shop.run_until_over(point, lambda: shop.is_over(placed), deaths=deaths(point, times))

    assert shop.books(placed) == replace(
        CALLED_OFF,
        moves=("PENDING", "PAYMENT_AUTHORIZED", "CANCELLED"),
        done=("do authorize_payment", "do confirm_stock", *back_from("capture_payment")),
        at_gateway=(("canceled", 0, 0),),
        payment=("voided", 0, 0),
        parcels=(),
        mails=("order_cancelled",),
    )
    assert shop.since(before) == NOTHING


def accepted(shop: Shop, point: str, times: int) -> None:
    """Without an answer the request is repeated: one order, whether the first made one or not."""
    before, orders = shop.stock_rows(), shop.one("SELECT count(*) FROM orders_order")
    shop.arm(point, times)

    placed, answers = shop.retry_until_accepted(shop.basket(), key=f"{point}-{times}")
    shop.wait_for("CONFIRMED", placed)

    assert len(shop.struck(point)) == times
    *silences, answer = answers
    assert len(silences) >= times
    committed = point == "intake.after_commit"
    assert answer.headers.get("Idempotent-Replayed") == ("true" if committed else None)
    assert shop.one("SELECT count(*) FROM orders_order") == orders + 1
    assert shop.books(placed) == CONFIRMED
    assert shop.since(before) == SOLD


def resumed_by_webhook(shop: Shop, point: str, times: int) -> None:
    """The shopper approved at the bank: only the webhook says that the order can go on."""
    before = shop.stock_rows()
    placed = shop.place(card=shopper.CHALLENGED)
    shop.wait_for("REQUIRES_ACTION", placed)
    shop.rest_from_webhooks()
    shop.arm(point, times)

    shop.approve_at_bank(placed)
    shop.run_until_over(point, lambda: shop.is_over(placed), deaths=deaths(point, times))

    assert shop.books(placed) == CHALLENGED
    assert shop.since(before) == SOLD
    shop.rest()
    assert set(shop.events(placed)) == {"applied"}


def resumed_by_reconciler(shop: Shop, point: str, times: int) -> None:
    """The webhook is lost as well: the reconciler finds it out, though it dies meanwhile."""
    before = shop.stock_rows()
    placed = shop.place(card=shopper.CHALLENGED)
    shop.wait_for("REQUIRES_ACTION", placed)
    shop.rest_from_webhooks()
    shop.steer_gateway({"fault": "webhook_drop", "operations": ["three_d_secure.decide"]})
    shop.run(
        "UPDATE payments_payment SET asked_at = asked_at - interval '1 hour' WHERE order_id = %s",
        placed.id,
    )
    shop.arm(point, times)

    shop.approve_at_bank(placed)
    shop.enqueue("payments.reconcile")
    shop.run_until_over(point, lambda: shop.is_over(placed), deaths=deaths(point, times))

    assert shop.books(placed) == CHALLENGED
    assert shop.since(before) == SOLD


def refunded_in_part(shop: Shop, point: str, times: int) -> None:
    placed = shop.place()
    shop.wait_for("CONFIRMED", placed)
    # The refund's webhook would settle it as well, before the next worker gets there.
    shop.steer_gateway({"fault": "webhook_drop", "operations": ["refunds.create"]})
    shop.arm(point, times)

    with shop.without_reconciler():
        shop.clerk("refund", order_id=placed.id, amount=100)
        shop.run_until_over(point, lambda: shop.refunds(placed) != [(100, "requested")],
                            deaths=deaths(point, times))  # fmt: skip

    assert shop.refunds(placed) == [(100, "succeeded")]
    ((refunded, total),) = shop.ask(
        "SELECT refunded_amount, amount FROM payments_payment WHERE order_id = %s", placed.id
    )
    assert refunded == 100
    part = 100 / total
    assert shop.books(placed) == replace(
        CONFIRMED,
        moves=(*CONFIRMED.moves, "CONFIRMED"),  # the refund is told, and changes no status
        at_gateway=(("succeeded", 1, part),),
        payment=("captured", 1, part),
        mails=(*CONFIRMED.mails, "refund_sent"),
    )


# --- Which story leads to which point -------------------------------------------------------------

Story = Callable[[Shop, str, int], None]


@dataclass(frozen=True)
class Case:
    """A story, and the point at which a process dies in it."""

    story: Story
    point: str

    def __str__(self) -> str:
        return f"{self.story.__name__}, {self.point}"


def stories(point: str) -> Iterator[Story]:
    """All that lead past a declared point."""
    room, *_ = words = point.split(".")
    if room == "saga" and words[1] in BY_NAME and words[2] == "undo":
        yield cancelled_when_confirmed
        if words[1] in UNDOING[UNDOING.index("authorize_payment") :]:
            yield declined
        if words[1] in UNDOING[UNDOING.index("capture_payment") :]:
            yield cancelled_while_its_worker_was_dead
    elif room == "saga":
        yield paid
    elif room == "mail":
        yield mailed
    elif room == "intake":
        yield accepted
    elif room == "inbox":
        yield resumed_by_webhook
    elif room == "refund":
        yield refunded_in_part
    elif room == "reconcile" and words[1] in ("settle", "tell"):
        yield resumed_by_reconciler


def deaths(point: str, times: int) -> int:
    """How many processes die of `times` armed. What is committed is not done again."""
    passed_once = ("saga.", "refund.", "mail.", "reconcile.")
    if point.startswith(passed_once) and point.endswith("after_commit"):
        return times if point == "saga.claim.after_commit" else 1
    return times


CASES = [Case(story, point) for point in POINTS for story in stories(point)]
BY_POINT = [[case for case in CASES if case.point == point] for point in POINTS]
if os.environ.get("CRASHES") == "all":
    ONCE = TWICE = CASES
else:
    # The stories alternate from point to point, so that each runs at some.
    ONCE = [cases[number % len(cases)] for number, cases in enumerate(BY_POINT) if cases]
    TWICE = [case for case in ONCE if deaths(case.point, 2) == 2][::2]


# --- The tests ------------------------------------------------------------------------------------


def test_every_boundary_of_every_step_is_a_point_and_every_point_has_a_story() -> None:
    for step in CHECKOUT:
        for way, state in (("do", "forward"), ("undo", "undoing")):
            write, ask = step.writes(state), step.asks(state)
            around = ["before_ask", "after_ask"] if ask else []
            wanted = [*around, "before_commit", "after_commit"] if write else []
            declared = [p for p in POINTS if p.startswith(f"saga.{step.name}.{way}.")]
            assert declared == [f"saga.{step.name}.{way}.{moment}" for moment in wanted]
    without_story = set(POINTS) - {case.point for case in CASES}
    assert not without_story, f"no story leads to {without_story}"


@pytest.mark.parametrize("case", ONCE, ids=str)
def test_death_is_harmless(shop: Shop, case: Case) -> None:
    case.story(shop, case.point, 1)


@pytest.mark.parametrize("case", TWICE, ids=str)
def test_death_twice_in_a_row_is_harmless(shop: Shop, case: Case) -> None:
    case.story(shop, case.point, 2)
