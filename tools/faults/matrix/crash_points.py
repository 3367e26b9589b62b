"""Processes kill themselves at named points, before and after each commit and each outside call."""

import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from apps.core import dispatch, failpoints
from apps.notifications import delivery  # noqa: F401  declares its failpoints
from apps.orders.errors import NotCancellable
from apps.orders.fulfilment import cancellation
from apps.orders.intake import accept_batch  # noqa: F401  likewise
from apps.orders.models import Order
from apps.orders.saga import engine  # noqa: F401  likewise
from apps.payments import inbox, refunds  # noqa: F401  likewise
from apps.payments.models import Payment
from apps.payments.reconciler import inspection  # noqa: F401  likewise
from tools.faults.controls.gateway import rule
from tools.faults.matrix.fault import Fault, FaultContext

# Discrepancies between the gateway's records and ours, which go to a person: no fault here makes
# one. These points have tests of their own (tests/payments/reconciler).
NOT_REACHED = ("reconcile.note.", "reconcile.claim.", "reconcile.return.")


def points(*prefixes: str) -> list[str]:
    """The declared points whose name begins with a prefix, without NOT_REACHED."""
    declared = [name for name in failpoints.declared() if not name.startswith(NOT_REACHED)]
    return [name for name in declared if name.startswith(prefixes)]


def _crash_at(context: FaultContext, *names: str, times: int = 1, every: float = 0.5) -> None:
    """Arm the points one after the other, `every` so many seconds, in an order from the seed."""
    todo = list(names)
    context.dice.shuffle(todo)
    todo.sort(key=lambda name: not name.startswith("refund."))  # they have the longest lease

    def arm_each() -> None:
        for name in todo:
            if context.notes.get("over"):
                return
            context.shop.points.arm(name, times)
            time.sleep(every)
        context.notes["all armed"] = True

    threading.Thread(target=arm_each, name="arm_each", daemon=True).start()


def crash_in_intake(context: FaultContext) -> None:
    _crash_at(context, *points("intake."), every=3.0)


def crash_in_saga(context: FaultContext) -> None:
    _crash_at(context, *points("saga."))


def crash_twice(context: FaultContext) -> None:
    _crash_at(context, *context.dice.sample(points("saga."), 4), times=2, every=1.0)


def crash_elsewhere(context: FaultContext) -> None:
    _crash_at(context, *points("inbox.", "refund.", "mail."), every=1.0)


def crash_in_reconciler(context: FaultContext) -> None:
    """Without webhooks about the banks' decisions the reconciler has to find them.

    Those about created intents are dropped as well: such a webhook wakes the saga, which asks the
    gateway itself, and on a slow machine it comes after the shopper has been at the bank's page.
    """
    context.shop.gateway.apply(
        rule("webhook_drop", "three_d_secure.decide"),
        rule("webhook_drop", "payment_intents.create"),
    )
    _crash_at(context, *points("reconcile."), every=3.0)


def disarm_and_heal_gateway(context: FaultContext) -> None:
    context.shop.gateway.apply()
    disarm(context)


def all_points_reached(context: FaultContext) -> bool:
    armed = context.shop.points.armed()
    if any(name.startswith("reconcile.") for name in armed):
        _reconcile_soon(context)
    if any(name.startswith("refund.") for name in armed):
        _ask_for_a_refund()
    if any(".undo." in name for name in armed):
        _cancel_what_is_confirmed()
    return bool(context.notes.get("all armed")) and not armed


def disarm(context: FaultContext) -> None:
    context.notes["over"] = True
    context.notes["not reached"] = context.shop.points.armed()
    context.shop.points.disarm()


def points_were_reached(context: FaultContext) -> Iterable[str]:
    for name in context.notes["not reached"]:
        yield f"no process reached {name}"


def _reconcile_soon(context: FaultContext) -> None:
    """Age the payments by the minute between two inspections, and start the reconciler."""
    context.shop.ask(
        "UPDATE payments_payment SET asked_at = asked_at - interval '1 minute'"
        " WHERE status = 'requires_action' AND asked_at > now() - interval '1 minute'"
    )
    dispatch.enqueue_on_commit("payments.reconcile")


def _ask_for_a_refund() -> None:
    """Refund part of an order as staff do: the only way to reach the points of refunds."""
    payment = (
        Payment.objects.filter(status=Payment.Status.CAPTURED, refunded_amount=0)
        .order_by("-created_at")
        .first()
    )
    if payment is not None:
        refunds.request_refund(
            payment.order_id,
            amount=100,
            purpose="admin:faults",
            reason="goodwill",
            actor="faults",
            payment_id=payment.pk,
        )


def _cancel_what_is_confirmed() -> None:
    """Cancel a confirmed order: each step has something to undo."""
    order = Order.objects.filter(status=Order.Status.CONFIRMED).order_by("-id").first()
    if order is not None:
        with suppress(NotCancellable):
            cancellation.request_cancellation(order.pk)


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="crash-intake",
        target="points",
        action="a web process kills itself before, and another after, the intake's COMMIT",
        expected="no 2xx; the same key makes one order, or replays it",
        inject=crash_in_intake, heal=disarm, until=all_points_reached,
        check=points_were_reached, seconds=60,
    ),
    Fault(
        name="crash-saga",
        target="points",
        action="workers kill themselves at every point of every step, forward and undoing",
        expected="the lease ends, the step is done again under the same keys",
        inject=crash_in_saga, heal=disarm, until=all_points_reached,
        check=points_were_reached, seconds=120,
    ),
    Fault(
        name="crash-twice",
        target="points",
        action="two workers in a row kill themselves at the same point, at four of them",
        expected="each order of that batch is processed alone, to its end",
        inject=crash_twice, heal=disarm, until=all_points_reached,
        check=points_were_reached, seconds=120,
    ),
    Fault(
        name="crash-elsewhere",
        target="points",
        action="processes kill themselves around every commit of webhooks, refunds and mail",
        expected="the gateway sends again, the sweep finds the rest",
        inject=crash_elsewhere, heal=disarm, until=all_points_reached,
        check=points_were_reached, seconds=120,
    ),
    Fault(
        name="crash-reconciler",
        target="points",
        action="the reconciler kills itself around its commits; no webhook about 3-D Secure comes",
        expected="the gateway's state is applied once, and the saga goes on",
        inject=crash_in_reconciler, heal=disarm_and_heal_gateway, until=all_points_reached,
        check=points_were_reached, seconds=120, combines=False,
    ),
)  # fmt: skip
