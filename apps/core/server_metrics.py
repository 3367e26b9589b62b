"""Metrics of the servers themselves: PostgreSQL, the broker's queues, the memory of Redis."""

import logging
from dataclasses import dataclass
from itertools import chain

import redis
from django.conf import settings

from apps.core.metrics import Reading, RedisReading, register
from apps.core.probing import open_redis

logger = logging.getLogger(__name__)

_QUEUES = tuple(chain.from_iterable(settings.QUEUES.values()))

register(
    Reading(
        name="database_connections",
        about="Connections to the shop's database",
        sql="SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    ),
    Reading(
        name="database_deadlocks",
        about="Deadlocks since PostgreSQL's statistics began",
        sql="SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
        rises_only=True,
    ),
    RedisReading(
        name="bells_waiting",  # alerts and dashboards know this name
        about="Tasks in the broker's queue",
        label="queue",
        commands=[("LLEN", queue) for queue in _QUEUES],
        value=lambda lengths: dict(zip(_QUEUES, map(float, lengths), strict=True)),
    ),
)


@dataclass(frozen=True, slots=True)
class RedisMemory:
    """Of one Redis server, in bytes, and how many keys it has evicted."""

    used: float
    limit: float
    evicted: float


def redis_memory(url: str) -> RedisMemory | None:
    """The memory of the server at `url`; None when it does not answer."""
    try:
        with open_redis(url) as client:
            memory, stats = client.info("memory"), client.info("stats")
    except redis.RedisError as error:
        logger.warning("no metrics from Redis: %s", error)
        return None
    return RedisMemory(
        used=float(memory["used_memory"]),
        limit=float(memory["maxmemory"]),
        evicted=float(stats["evicted_keys"]),
    )
