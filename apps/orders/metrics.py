"""What the orders tell `/metrics`."""

from apps.core.metrics import (
    Reading,
    count_rows,
    register,
    rows_inserted,
    seconds_late,
)
from apps.orders.models import Order, Saga
from apps.orders.saga.steps import BY_NAME

_OPEN = "state IN ('forward', 'undoing')"
_STEPS = ", ".join(f"'{name}'" for name in BY_NAME)

register(
    Reading(
        name="orders_accepted",
        about="Orders written since PostgreSQL's statistics began",
        sql=rows_inserted(Order),
        rises_only=True,
    ),
    Reading(name="sagas_open", about="Orders under way", sql=count_rows(Saga, _OPEN)),
    Reading(
        name="sagas_open_by_step",
        about="Orders under way, by the step that is next to be done or undone",
        label="step",
        sql=f"""
            SELECT known.step, count(s.order_id)
            FROM unnest(ARRAY[{_STEPS}]) AS known(step)
            LEFT JOIN orders_saga s ON s.step = known.step AND s.{_OPEN} GROUP BY known.step
        """,  # noqa: S608  (constants)
    ),
    Reading(
        name="sagas_late_seconds",
        about="How long the longest waiting due saga is due",
        # A saga under way is due since its order was placed (engine.py): only one that no worker
        # has touched since is late.
        sql=seconds_late(Saga, _OPEN, moment="greatest(due_at, updated_at)"),
    ),
    Reading(
        name="sagas_in_review",
        about="Orders that wait for a person's decision",
        sql=count_rows(Saga, "state = 'review'"),
    ),
)
