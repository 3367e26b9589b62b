"""The registry of what `/metrics` shows. It knows no table: each app registers its own readings.

An app describes them in its `metrics.py`, which is imported when Django starts (apps.py):

    register(
        Reading(
            name="mail_waiting",
            about="Notifications due and not sent",
            sql=count_rows(Notification, "state = 'due'"),
        )
    )

The numbers are read at the moment of the scrape, not counted in memory: whichever web process
answers gives the same numbers, the checkout pays nothing, and no number is lost with a killed
worker. So a query must be answered by a partial index or by PostgreSQL's own statistics: a scrape
must cost the same with five million orders (a test asks PostgreSQL for the plan of each).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

PREFIX = "storefront_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One number from PostgreSQL: a query of one row and one column, NULL read as 0.

    With `label`, one number for each of its values: a query of rows of (value, number).
    `name` is without the prefix `storefront_`. `about` is the help text that Prometheus shows.
    `rises_only`: a counter (its name gets `_total`), otherwise a gauge.
    """

    name: str
    about: str
    sql: str
    label: str = ""
    rises_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisReading:
    """A number, or one for each value of `label`, from the Redis server of `settings.REDIS_URL`.

    `commands` go out in one pipeline with those of all other readings. `value` gets their replies,
    in the same order, as bytes, int or None, and returns the number, or with `label` a mapping
    from the label's value to the number.
    """

    name: str
    about: str
    commands: Sequence[tuple[str, ...]]
    value: Callable[[Sequence[Any]], float | Mapping[str, float]]
    label: str = ""
    rises_only: bool = False


_registered: dict[str, Reading | RedisReading] = {}


def register(*readings: Reading | RedisReading) -> None:
    """Show these in `/metrics`. Raises ValueError for a name that is taken."""
    for reading in readings:
        if reading.name in _registered:
            raise ValueError(f"There is a metric {reading.name} already.")
        _registered[reading.name] = reading


def database_readings() -> list[Reading]:
    """What is read from PostgreSQL, in the order of registration."""
    return [reading for reading in _registered.values() if isinstance(reading, Reading)]


def redis_readings() -> list[RedisReading]:
    """What is read from Redis, in the order of registration."""
    return [reading for reading in _registered.values() if isinstance(reading, RedisReading)]


# --- Queries --------------------------------------------------------------------------------------
# A `condition` is the one of a partial index, word for word: otherwise it would not be used.


def count_rows(model: type[Model], condition: str) -> str:
    """SQL: how many rows of `model` fulfil `condition`."""
    return f"SELECT count(*) FROM {model._meta.db_table} WHERE {condition}"  # noqa: S608


def seconds_late(model: type[Model], condition: str, *, moment: str = "due_at") -> str:
    """SQL: for how many seconds the earliest `moment` of these rows has passed; 0 if it has not."""
    late = f"greatest(0, extract(epoch FROM now() - min({moment})))"
    return f"SELECT {late} FROM {model._meta.db_table} WHERE {condition}"  # noqa: S608


def rows_inserted(model: type[Model]) -> str:
    """SQL: how many rows were ever written, by PostgreSQL's statistics and not by counting."""
    table = model._meta.db_table
    return f"SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = '{table}'"  # noqa: S608
