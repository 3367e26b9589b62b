"""Whole processes die, freeze, are replaced or doubled while orders are under way.

Here time passes by itself where it is what the test is about: the worker whose whole group is
killed leaves leases of twenty seconds behind, and they are waited for.
"""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from apps.orders.saga import MAX_ATTEMPTS
from storefront import failpoints
from storefront.stack.programs import celery, programs
from tests.crashes.shop import (
    CALLED_OFF,
    CONFIRMED,
    Shop,
    is_alive,
    process_state,
    thaw,
    until,
)
from tests.crashes.test_points import POINTS
from tests.journeys.shopper import Placed

pytestmark = pytest.mark.journey

ASKING = [point for point in POINTS if point.endswith(("before_ask", "after_ask"))]
ASKING = [point for point in ASKING if point.startswith("saga.")]


def test_whole_worker_is_killed_with_thirty_orders_under_way(shop: Shop) -> None:
    shop.steer_gateway(latency_ms=1500)
    with ThreadPoolExecutor(10) as shoppers:
        placed = list(shoppers.map(lambda _: shop.place(), range(30)))
    until(lambda: len(leased(shop)) >= 10, "orders are in the worker's hands")
    before = shop.stack.pid("worker")

    shop.stack.kill("worker")

    until(lambda: not is_alive(before), "the worker is dead")
    left_behind = leased(shop)
    assert left_behind
    shop.steer_gateway()
    shop.wait_for("CONFIRMED", *placed, patience=150)
    assert shop.stack.pid("worker") != before
    for order in placed:
        assert shop.books(order) == CONFIRMED
    for order in placed:
        if order.id in left_behind:
            assert shop.saga(order)["epoch"] > left_behind[order.id]


def leased(shop: Shop) -> dict[str, int]:
    """Orders that a worker has claimed, and the epoch of the claim."""
    rows = shop.ask("SELECT order_id::text, epoch FROM orders_saga WHERE lease_until IS NOT NULL")
    return dict(rows)


@pytest.mark.parametrize("point", ASKING)
def test_zombie_writes_nothing_though_the_saga_still_stands_where_it_left_it(
    shop: Shop, point: str
) -> None:
    """Two workers with the same step in their hands: only the younger claim counts."""
    undoing = ".undo." in point
    placed = confirmed(shop) if undoing else None
    left_behind = shop.tasks_left_behind()
    shop.arm(point, 2, deed=failpoints.FREEZE)
    if placed is None:
        placed = shop.place()
    else:
        shop.call_off(placed)
    (older,) = frozen(shop, point, 1)
    olders_task = tasks_that_stay(shop, left_behind, 1)
    shop.time_passes()  # its lease ends, another worker comes, and freezes at the same point
    (younger,) = set(frozen(shop, point, 2)) - {older}
    shop.run(
        "UPDATE orders_saga SET lease_until = now() + interval '1 hour',"
        " due_at = now() + interval '1 hour' WHERE order_id = %s",
        placed.id,
    )
    before = everything_of_the_saga(shop, placed)

    thaw([older])

    until(lambda: not olders_task & shop.tasks_under_way(), "the zombie is through")
    assert is_alive(older)
    assert everything_of_the_saga(shop, placed) == before
    thaw([younger])
    shop.wait_for("CANCELLED" if undoing else "CONFIRMED", placed)
    assert shop.books(placed) == (CALLED_OFF if undoing else CONFIRMED)


@pytest.mark.parametrize("way", ["do", "undo"])
def test_zombies_wake_up_when_others_have_finished(shop: Shop, way: str) -> None:
    """One order, and at every question that it asks a worker that froze with it."""
    points = [point for point in ASKING if f".{way}.after_ask" in point]
    placed = confirmed(shop) if way == "undo" else None
    left_behind = shop.tasks_left_behind()
    for point in points:
        shop.arm(point, deed=failpoints.FREEZE)
    if placed is None:
        placed = shop.place()
    else:
        shop.call_off(placed)
    zombies = []
    for point in points if way == "do" else points[::-1]:
        zombies += frozen(shop, point, 1)
        zombies_tasks = tasks_that_stay(shop, left_behind, len(zombies))
        shop.time_passes()
    shop.wait_for("CANCELLED" if way == "undo" else "CONFIRMED", placed)
    before = everything_of_the_saga(shop, placed)

    thaw(zombies)

    until(lambda: not zombies_tasks & shop.tasks_under_way(), "the zombies are through")
    assert len(zombies) == len(points) > 1
    assert everything_of_the_saga(shop, placed) == before
    assert shop.books(placed) == (CALLED_OFF if way == "undo" else CONFIRMED)


def confirmed(shop: Shop) -> Placed:
    placed = shop.place()
    shop.wait_for("CONFIRMED", placed)
    shop.rest()
    return placed


def frozen(shop: Shop, point: str, count: int) -> list[int]:
    """The `count` processes that lie frozen there."""
    until(
        lambda: (
            len(shop.struck(point)) == count
            and all(process_state(pid) == "T" for pid in shop.struck(point))
        ),
        f"{count} lie frozen at {point}",
        why=shop.unfinished,
    )
    return shop.struck(point)


def tasks_that_stay(shop: Shop, left_behind: frozenset[bytes], count: int) -> frozenset[bytes]:
    """The tasks of the `count` who lie frozen.

    Others are under way at the same moment, for the bells of the web and of the sweep ring on. They
    end at once while nothing is due; taken for a frozen one's, one of them might be the very task
    with which the next worker comes and freezes.
    """
    stay = shop.tasks_under_way() - left_behind

    def only_theirs() -> bool:
        nonlocal stay
        stay &= shop.tasks_under_way()
        return len(stay) <= count

    until(only_theirs, "only those who are frozen have a task", why=shop.unfinished)
    assert len(stay) == count
    return stay


def everything_of_the_saga(shop: Shop, placed: Placed) -> tuple[object, ...]:
    """Its row with the row's version, its log, the order's moves, the units that moved."""
    books = shop.books(placed)
    return (shop.saga(placed), shop.log(placed), books.moves, books.units, books.holds, books.mails)


def test_poison_comes_to_review_alone_and_is_finished_by_a_person(shop: Shop) -> None:
    """An order that kills whoever touches it: its neighbours of the first batch, too, then alone.

    While it dies and dies, others buy.
    """
    point = "saga.capture_payment.undo.before_ask"  # its neighbours only go forward
    poison = confirmed(shop)
    shop.stack.kill("worker", signal.SIGSTOP)
    shop.call_off(poison)
    neighbours = [shop.place() for _ in range(3)]
    shop.arm(point, 9)
    shop.stack.kill("worker", signal.SIGCONT)  # one batch: the poison and all three

    buried = 0

    def look() -> bool:
        nonlocal buried
        dead = shop.struck(point)
        if len(dead) > buried:
            until(lambda: not any(map(is_alive, dead)), "the process dies")
            buried = len(dead)
            if buried == 9:
                shop.arm(point, MAX_ATTEMPTS - 9)
            if buried % 3 == 0:
                neighbours.append(shop.place())
            shop.time_passes()
        return shop.saga(poison)["state"] == "review"

    until(look, "the poison is before a person", why=shop.unfinished, patience=120)

    assert buried == MAX_ATTEMPTS
    assert shop.saga(poison)["review_reason"] == (
        f"undoing capture_payment did not succeed in {MAX_ATTEMPTS} attempts"
    )
    shop.wait_for("CONFIRMED", *neighbours)
    assert len(neighbours) == 3 + MAX_ATTEMPTS // 3
    for neighbour in neighbours:
        assert shop.books(neighbour) == CONFIRMED
    assert shop.books(poison) == replace(
        CONFIRMED,
        saga="review",
        done=(*CONFIRMED.done, "undo create_shipment"),
        parcels=("cancelled",),
    )

    shop.clerk("retry", order_id=poison.id)

    shop.wait_for("CANCELLED", poison)
    assert shop.books(poison) == CALLED_OFF


def test_deploy_under_load_loses_nothing(shop: Shop) -> None:
    """SIGTERM for worker and web while people buy: who is not answered asks again."""
    shop.steer_gateway(latency_ms=200)
    over = threading.Event()
    placed: list[Placed] = []
    heard: list[requests.Response | requests.RequestException] = []

    def buy(number: int) -> None:
        bought = 0
        while not over.is_set() or not bought:
            order, answers = shop.retry_until_accepted(shop.basket(), f"deploy-{number}-{bought}")
            placed.append(order)
            heard.extend(answers)
            bought += 1
            over.wait(1.0)

    with ThreadPoolExecutor(4) as shoppers:
        shopping = [shoppers.submit(buy, number) for number in range(4)]
        try:
            until(lambda: len(placed) >= 4, "people buy")
            shop.stack.restart("worker")
            shop.stack.restart("web")
            shop.stack.wait_ready()
        finally:
            over.set()
        for each in shopping:
            each.result()

    codes = {answer.status_code for answer in heard if isinstance(answer, requests.Response)}
    assert codes <= {202, 409, 503}
    shop.wait_for("CONFIRMED", *placed)
    assert len({order.id for order in placed}) == len(placed)
    for order in placed:
        assert shop.books(order) == CONFIRMED


def test_without_the_sweeper_a_lost_bell_is_a_delay_and_two_sweepers_double_nothing(
    shop: Shop,
) -> None:
    shop.stack.stop_process("beat")
    shop.stack.stop_process("worker")
    placed = shop.place()
    until(lambda: bool(shop.queue.delete("checkout")), "the bell is lost")
    earlier = shop.tasks_under_way()
    shop.ring("orders.expire_holds")
    shop.stack.start_process("worker")
    until(
        lambda: shop.queue.llen("checkout") == 0 and not shop.tasks_under_way() - earlier,
        "the worker is there and has nothing to do",
    )
    assert (shop.status(placed), shop.saga(placed)["epoch"]) == ("PENDING", 0)

    shop.stack.start_process("beat")
    schedule = shop.stack.home / "celerybeat-schedule-2"
    table = programs(ports=shop.stack.ports, home=shop.stack.home, sandbox=True)
    beat = next(program for program in table if program.name == "beat")
    second = replace(beat, name="beat-2", argv=celery("beat", "--schedule", str(schedule)))
    shop.stack.add(second)
    shop.stack.start_process("beat-2")
    try:
        shop.wait_for("CONFIRMED", placed)
        until(lambda: any(schedule.parent.glob(f"{schedule.name}*")), "the second one ticks")
        others = [shop.place() for _ in range(5)]
        shop.wait_for("CONFIRMED", *others)
    finally:
        shop.stack.stop_process("beat-2")

    for order in (placed, *others):
        assert shop.books(order) == CONFIRMED
