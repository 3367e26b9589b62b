"""A hold ends while the gateway or the workers are away."""

import time
from collections.abc import Iterable

from tools.faults.controls.gateway import rule
from tools.faults.environment import HOLD_CAP_SECONDS, HOLD_SECONDS
from tools.faults.matrix.fault import Fault, FaultContext
from tools.faults.matrix.gateway import heal_gateway


def outage_longer_than_hold(context: FaultContext) -> None:
    """First it executes and does not answer, then it refuses every connection."""
    context.shop.gateway.apply(rule("reset_after", "payment_intents.create"))
    time.sleep(3.0)
    context.shop.gateway.apply(rule("outage"))


def nothing_expired_before_the_cap(context: FaultContext) -> Iterable[str]:
    """Orders are cancelled as expired only after their hold, and then nothing is kept."""
    early = context.shop.number(
        """
        SELECT count(*) FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        JOIN orders_orderevent e ON e.order_id = o.id AND e.status = 'PAYMENT_FAILED'
        JOIN payments_payment p ON p.order_id = o.id AND p.live
        WHERE s.cancel_reason = 'expired' AND p.status = 'voided' AND o.placed_at > to_timestamp(%s)
          AND e.message = 'The payment was not completed in time.'
          AND e.created_at < o.placed_at + make_interval(secs => %s) - interval '1 second'
        """,
        context.began_at,
        HOLD_SECONDS,
    )
    if early:
        yield f"{early} orders were cancelled before their hold had ended"


def stop_workers(context: FaultContext) -> None:
    """No worker applies what the banks approve until the holds are over."""
    time.sleep(2.0)
    context.shop.stack.stop_process("worker")


def start_workers(context: FaultContext) -> None:
    context.shop.stack.start_process("worker")


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="outage-longer-than-hold",
        target="gateway",
        action="the gateway executes and does not answer, then is away past the cap of holds",
        expected="holds are kept to their cap; then intents are cancelled and units released",
        inject=outage_longer_than_hold, heal=heal_gateway, check=nothing_expired_before_the_cap,
        seconds=HOLD_CAP_SECONDS + 6, combines=False,
        short_holds=True,
    ),
    Fault(
        name="success-after-hold",
        target="workers",
        action="banks approve while no worker runs, until the holds are over",
        expected="confirmed, or cancelled and refunded; never both",
        inject=stop_workers, heal=start_workers, seconds=HOLD_SECONDS + 2, combines=False,
        short_holds=True,
    ),
)  # fmt: skip
