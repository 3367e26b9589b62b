"""Whether waiting mail delays orders: with 50,000 messages due in the background, and none."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import redis
from django.conf import settings
from django.db import connection

from apps.notifications.outbox import DELIVER
from storefront.celery import app
from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT
from tools.bench.scenarios.finish import TOOK
from tools.bench.sql import sql

WAITING = 50_000
QUEUE = "background"
RATE = 90  # checkouts a second that two cores finish without a queue
FILL = """
    INSERT INTO notifications_notification
        (order_id, kind, about, "to", subject, body, state, attempts, last_error, resolution,
         resolved_by)
    SELECT gen_random_uuid(), 'order_confirmed', '', 'buyer' || n || '@example.com',
           'Your order is confirmed', repeat('A line of the message. ', 20), 'due', 0, '', '', ''
    FROM generate_series(1, %s) AS n
"""
LEFT = "SELECT count(*) FROM notifications_notification WHERE state = 'due'"


def starve(bench: Bench) -> Findings:
    """The same load twice; the second time the background queue has a day's work."""
    rows = []
    bench.shop.reset()
    bench.load("checkout", connections=50, seconds=bench.warm_up, skus=HOT, rate=RATE)
    bench.shop.drain()
    for messages in (0, WAITING):
        runs = []
        for number in range(bench.runs):
            runs.append(_run(bench, messages))
            bench.say(
                f"starve, {messages:,} waiting, {number + 1}/{bench.runs}:"
                f" {runs[-1]['finished']:,.0f}/s, confirmed p99 {runs[-1]['confirmed_p99']:.1f} s"
            )
        rows.append(
            {"waiting": f"{messages:,}"}
            | {name: round(median(run[name] for run in runs), 2) for name in runs[0]}
        )
    bench.shop.reset()
    without, beside = rows
    return Findings(
        name="starve",
        title="Beside mail that waits",
        about=(
            "The same shoppers, with nothing in the background queue and with so many messages due"
            " and so many Celery tasks in it. Checkout and background have queues and workers of"
            " their own, the background's with a lower priority; what they share is the machine."
        ),
        columns={
            "waiting": "messages waiting",
            "left": "left after the run",
            "accepted": "accepted /s",
            "confirmed_p50": "confirmed p50 s",
            "confirmed_p99": "p99 s",
            "finished": "finished /s after a burst",
        },
        rows=rows,
        plots=[
            Plot(title="orders finished a second", kind="bars", x="waiting", y="finished",
                 unit="/s"),
            Plot(title="time to confirmed, p99", kind="bars", x="waiting", y="confirmed_p99",
                 unit="s"),
        ],
        notes=[
            f"Beside {beside['waiting']} messages orders were finished at"
            f" {beside['finished'] / max(without['finished'], 0.01):.2f} of the pace without."
        ],
    )  # fmt: skip


def _run(bench: Bench, messages: int) -> dict[str, float]:
    """Orders as they come on a good day, then all at once, while so many messages wait."""
    shop = bench.shop
    steady, burst = (6.0, 2.0) if bench.quick else (20.0, 5.0)
    shop.reset()
    with _waiting(messages):
        load = bench.load("checkout", connections=50, seconds=steady, skus=HOT, rate=RATE)
        load.require(202, "beside mail")
        shop.drain()
        p50, p99 = sql(TOOK)[0]
        at_once = bench.load("checkout", connections=64, seconds=burst, skus=HOT)
        at_once.require(202, "beside mail, at once")
        at_first, drained_from = shop.finished(), time.monotonic()
        shop.drain()
        finished = (shop.finished() - at_first) / max(time.monotonic() - drained_from, 0.01)
        left = _still_waiting(messages)
    shop.audit(at_rest=False)  # mail is still due, none of it of these orders
    return {
        "left": left,
        "accepted": load.per_second(202),
        "confirmed_p50": p50,
        "confirmed_p99": p99,
        "finished": finished,
    }


def _still_waiting(messages: int) -> int:
    """How many messages are still due. Raises AssertionError when all were sent before."""
    left = int(sql(LEFT)[0][0])
    if messages and not left:
        raise AssertionError("the messages were all sent before the orders: nothing was shown")
    return left


@contextlib.contextmanager
def _waiting(messages: int) -> Iterator[None]:
    """Keep so many messages due in the outbox, and as many tasks for them in the broker's queue.

    A fast machine sends thousands a second beside the orders: as many as were sent are written
    again, so that the number stays the same from the first order to the last.
    """
    if not messages:
        yield
        return
    over = threading.Event()
    with redis.Redis.from_url(settings.REDIS_URL) as broker, ThreadPoolExecutor(1) as pool:
        sql(FILL, messages)
        _enqueue(broker, messages)
        filling = pool.submit(_fill_up, messages, over)
        try:
            yield
        finally:
            over.set()
            broker.delete(QUEUE)
            filling.result()


def _fill_up(messages: int, over: threading.Event) -> None:
    """Runs in a thread of its own, with a database connection of its own."""
    try:
        while not over.wait(1.0):
            sql(FILL, messages - sql(LEFT)[0][0])
    finally:
        connection.close()


def _enqueue(broker: "redis.Redis", count: int) -> None:
    """Past the shop's own dispatch, which adds no task while one is unread."""
    for _ in range(100):
        app.send_task(DELIVER, queue=QUEUE, expires=settings.TASKS_EXPIRE_S)
        task = broker.lindex(QUEUE, 0)  # None when a worker was faster
        if task is not None:
            break
    else:
        raise AssertionError("no task stays in the queue")
    with broker.pipeline(transaction=False) as pipe:
        for start in range(0, count, 1000):
            pipe.lpush(QUEUE, *[task] * min(1000, count - start))
        pipe.execute()
