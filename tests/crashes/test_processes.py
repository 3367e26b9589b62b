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

from apps.orders.saga.engine import MAX_ATTEMPTS
from tests.crashes.books import CALLED_OFF, CONFIRMED
from tests.crashes.processes import is_alive, process_state, thaw
from tests.crashes.shop import Shop
from tests.crashes.test_points import POINTS
from tests.journeys.shopper import Placed
from tests.waiting import until
from tools.stack.commands import celery
from tools.stack.process_table import programs

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
    shop.wait_for("CONFIRMED", *placed, patience=300)
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
    """Two workers with the same step: only the later claim counts."""
    undoing = ".undo." in point
    placed = confirmed(shop) if undoing else None
    left_behind = shop.tasks_left_behind()
    shop.arm(point, 2, freeze=True)
    if placed is None:
        placed = shop.place()
    else:
        shop.cancel(placed)
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

    until(lambda: not olders_task & shop.tasks_under_way(), "the zombie has ended")
    assert is_alive(older)
    assert everything_of_the_saga(shop, placed) == before
    thaw([younger])
    shop.wait_for("CANCELLED" if undoing else "CONFIRMED", placed)
    assert shop.books(placed) == (CALLED_OFF if undoing else CONFIRMED)


@pytest.mark.parametrize("way", ["do", "undo"])
def test_zombies_wake_up_when_others_have_finished(shop: Shop, way: str) -> None:
    """One order, and a frozen worker at every gateway call of it."""
    points = [point for point in ASKING if f".{way}.after_ask" in point]
    placed = confirmed(shop) if way == "undo" else None
    left_behind = shop.tasks_left_behind()
    for point in points:
        shop.arm(point, freeze=True)
    if placed is None:
        placed = shop.place()
    else:
        shop.cancel(placed)
    zombies = []
    for point in points if way == "do" else points[::-1]:
        zombies += frozen(shop, point, 1)
        zombies_tasks = tasks_that_stay(shop, left_behind, len(zombies))
        shop.time_passes()
    shop.wait_for("CANCELLED" if way == "undo" else "CONFIRMED", placed)
    before = everything_of_the_saga(shop, placed)

    thaw(zombies)

    until(lambda: not zombies_tasks & shop.tasks_under_way(), "the zombies have ended")
    assert len(zombies) == len(points) > 1
    assert everything_of_the_saga(shop, placed) == before
    assert shop.books(placed) == (CALLED_OFF if way == "undo" else CONFIRMED)


def confirmed(shop: Shop) -> Placed:
    placed = shop.place()
    shop.wait_for("CONFIRMED", placed)
    shop.rest()
    return placed


def frozen(shop: Shop, point: str, count: int) -> list[int]:
    """The `count` processes that are frozen there."""
    until(
        lambda: (
            len(shop.struck(point)) == count
            and all(process_state(pid) == "T" for pid in shop.struck(point))
        ),
        f"{count} are frozen at {point}",
        why=shop.unfinished,
    )
    return shop.struck(point)


def tasks_that_stay(shop: Shop, left_behind: frozenset[bytes], count: int) -> frozenset[bytes]:
    """The tasks of the `count` that are frozen.

    Other tasks run at the same moment, enqueued by the web and the sweep. They end at once while
    nothing is due; mistaken for the task of a frozen worker, one of them might be the task with
    which the next worker comes and freezes.
    """
    stay = shop.tasks_under_way() - left_behind

    def only_theirs() -> bool:
        nonlocal stay
        stay &= shop.tasks_under_way()
        return len(stay) <= count

    until(only_theirs, "only the frozen workers have a task", why=shop.unfinished)
    assert len(stay) == count
    return stay


def everything_of_the_saga(shop: Shop, placed: Placed) -> tuple[object, ...]:
    """Its row with the row's version, its log, the order's moves, the units that moved."""
    books = shop.books(placed)
    return (shop.saga(placed), shop.log(placed), books.moves, books.units, books.holds, books.mails)


def test_poison_comes_to_review_alone_and_is_finished_by_a_person(shop: Shop) -> None:
    """An order that kills each worker that processes it: first with its batch, then alone.

    Other orders are placed and confirmed meanwhile.
    """
    point = "saga.capture_payment.undo.before_ask"  # its neighbours only go forward
    poison = confirmed(shop)
    shop.stack.kill("worker", signal.SIGSTOP)
    shop.cancel(poison)
    neighbours = [shop.place() for _ in range(3)]
    shop.arm(point, 9)
    shop.stack.kill("worker", signal.SIGCONT)  # one batch: the poison and all three

    seen = 0

    def look() -> bool:
        nonlocal seen
        dead = shop.struck(point)
        if len(dead) > seen:
            until(lambda: not any(map(is_alive, dead)), "the process dies")
            seen = len(dead)
            if seen == 9:
                shop.arm(point, MAX_ATTEMPTS - 9)
            if seen % 3 == 0:
                neighbours.append(shop.place())
            shop.time_passes()
        return shop.saga(poison)["state"] == "review"

    until(look, "the poisoned order is in review", why=shop.unfinished, patience=300)

    assert seen == MAX_ATTEMPTS
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
    """SIGTERM for worker and web under load: requests without an answer are repeated."""
    shop.steer_gateway(latency_ms=200)
    over = threading.Event()
    placed: list[Placed] = []
    received: list[requests.Response | requests.RequestException] = []

    def buy(number: int) -> None:
        bought = 0
        while not over.is_set() or not bought:
            order, answers = shop.retry_until_accepted(shop.basket(), f"deploy-{number}-{bought}")
            placed.append(order)
            received.extend(answers)
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

    codes = {answer.status_code for answer in received if isinstance(answer, requests.Response)}
    assert codes <= {202, 409, 503}
    shop.wait_for("CONFIRMED", *placed)
    assert len({order.id for order in placed}) == len(placed)
    for order in placed:
        assert shop.books(order) == CONFIRMED


def test_without_the_sweeper_a_lost_task_is_a_delay_and_two_sweepers_double_nothing(
    shop: Shop,
) -> None:
    shop.stack.stop_process("beat")
    shop.stack.stop_process("worker")
    placed = shop.place()
    until(lambda: bool(shop.queue.delete("checkout")), "the task is lost")
    earlier = shop.tasks_under_way()
    shop.enqueue("orders.expire_holds")
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
