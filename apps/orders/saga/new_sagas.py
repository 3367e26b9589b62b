"""The sagas of new orders: one row an order, written in the statement that writes the orders."""

from typing import Any

from django.conf import settings

from apps.core.batch_insert import BatchInsert
from apps.orders.saga import steps

# Of the order's fields it reads `id`. The database's clock sets the deadline, as it sets the end of
# the hold.
INSERT = BatchInsert(
    columns="",
    insert="""
        INSERT INTO orders_saga (
            order_id, state, step, attempts, epoch, due_at, waiting_for, deadline_at,
            cancel_reason, last_error, review_reason, reviewed_from)
        SELECT id, 'forward', %(first_step)s::text, 0, 0, now(), '', now() + %(hold_time)s,
               '', '', '', ''
        FROM batch
    """,
)


def parameters() -> dict[str, Any]:
    """The values of the parameters in `INSERT`."""
    return {"first_step": steps.FIRST_STEP, "hold_time": settings.HOLD_TIME}
