"""The queues: an order's tasks have a queue and a worker that nothing else can fill."""

from pathlib import Path

import pytest
from django.conf import settings
from kombu.transport.redis import Channel

from storefront.celery import app
from tools.stack.ports import Ports
from tools.stack.process_table import programs
from tools.stack.program import Program

# The tasks that an order waits for.
CHECKOUT = {
    "orders.advance_sagas",
    "orders.expire_holds",
    "orders.sweep",
    "payments.apply_webhooks",
    "payments.gateway_recovered",
    "payments.send_refunds",
}


def tasks() -> set[str]:
    """Every task of the shop's own."""
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def queue_of(task: str) -> str:
    route = settings.CELERY_TASK_ROUTES.get(task, {})
    return str(route.get("queue", settings.CELERY_TASK_DEFAULT_QUEUE))


def worker_of(queue: str) -> list[Program]:
    """The programs that listen to `queue`."""
    table = programs(ports=Ports(), home=Path("/nowhere"), sandbox=False)
    return [
        program
        for program in table
        if "--queues" in program.argv
        and queue in program.argv[program.argv.index("--queues") + 1].split(",")
    ]


@pytest.mark.django_db
def test_orders_go_by_one_queue_and_everything_else_by_another() -> None:
    assert tasks() >= CHECKOUT
    assert {task for task in tasks() if queue_of(task) == "checkout"} == CHECKOUT
    others = {queue_of(task) for task in tasks() - CHECKOUT}
    assert others == set(settings.QUEUES["background"])
    assert "notifications.deliver" in tasks() - CHECKOUT


def test_each_queue_has_one_worker_and_none_takes_both_kinds() -> None:
    for queues in settings.QUEUES.values():
        for queue in queues:
            (worker,) = worker_of(queue)
            assert worker.argv[worker.argv.index("--queues") + 1] == ",".join(queues)


@pytest.mark.django_db
def test_the_reconciler_waits_behind_no_backlog() -> None:
    """Tasks to mirror or to send mail may be hundreds; the reconciler has a queue of its own."""
    assert [task for task in tasks() if queue_of(task) == "reconcile"] == ["payments.reconcile"]
    assert settings.QUEUES["background"][-1] == "reconcile"
    assert Channel.queue_order_strategy == "round_robin"  # Kombu's rule for several queues


def test_background_gives_way_to_the_checkout_and_that_to_the_web() -> None:
    """Where the machine is short, the kernel decides by these."""
    (checkout,), (background,) = worker_of("checkout"), worker_of("background")

    assert 0 < checkout.nice < background.nice
