"""The audit: the invariants of the shop, each a query that returns no row when it holds.

Safety must hold at every instant, also in the middle of a flash sale; liveness (marked) once a
disturbance is over and things had their time. All queries read one REPEATABLE READ snapshot, so
that a purchase in progress is seen whole or not at all. docs/invariants.md explains each.

    check            every invariant that our own tables can answer
    check_gateway    5: the gateway's charges match our payments
    check_accepted   12: every order of a client's log exists
"""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection, transaction

from apps.orders.audit import decisions, lines, orders, payments, progress, promos, stock
from apps.orders.audit.accepted import check_accepted
from apps.orders.audit.gateway import NO_TIME, check_gateway
from apps.orders.audit.invariant import SHOWN, Finding, Invariant
from apps.payments.models import REFUND_ATTEMPTS_MAX

__all__ = [
    "INVARIANTS",
    "NO_TIME",
    "SHOWN",
    "Finding",
    "Invariant",
    "check",
    "check_accepted",
    "check_gateway",
]

GRACE = timedelta(minutes=2)

INVARIANTS = (
    stock.ON_HAND,
    stock.RESERVED,
    stock.BOUNDS,
    payments.MONEY_KEPT,
    promos.PROMO_COUNTERS,
    orders.ONE_OF_EACH,
    progress.NOTHING_OVERDUE,
    orders.ENDS_MATCH,
    progress.STEPS_ONCE,
    progress.DELIVERED_IN_TIME,
    orders.TOTALS,
    decisions.DECIDED,
    lines.PAID_BY_LINE,
    payments.KEPT_OF_ORDER,
)


def check(*, liveness: bool = True) -> Iterator[Finding]:
    """Check the invariants that our own tables can answer, in one snapshot, by number.

    liveness: False leaves out those that hold only when nothing is under way.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for invariant in INVARIANTS:
            if invariant.liveness and not liveness:
                continue
            cursor.execute(
                invariant.query, {"grace": GRACE, "refund_attempts": REFUND_ATTEMPTS_MAX}
            )
            rows = cursor.fetchall()
            yield Finding(
                invariant.number,
                invariant.name,
                invariant.liveness,
                len(rows),
                tuple(f"{what}: {detail}" for what, detail in rows[:SHOWN]),
            )
