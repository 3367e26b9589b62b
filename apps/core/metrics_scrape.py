"""One scrape: reads every registered number from PostgreSQL and Redis, as text for Prometheus."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import redis
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.core.metrics import (
    PREFIX,
    Reading,
    RedisReading,
    database_readings,
    redis_readings,
)
from apps.core.probing import open_connection, open_redis, redis_urls
from apps.core.server_metrics import RedisMemory, redis_memory

logger = logging.getLogger(__name__)

BROKER = "redis"  # whose Redis, by the names of probing.redis_urls, the RedisReadings ask


class ScrapeCollector(Collector):
    """Reads all numbers when asked; a server that does not answer shows as `storefront_up 0`."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(f"{PREFIX}up", "Whether the service answers", labels=["service"])
        try:
            yield from _from_database()
            up.add_metric(["database"], 1)
        except psycopg.Error as error:
            logger.warning("no metrics from PostgreSQL: %s", error)
            up.add_metric(["database"], 0)
        yield from _from_redis(up)
        yield up


def _from_database() -> Iterator[Metric]:
    with open_connection() as connection:
        for reading in database_readings():
            rows = connection.execute(reading.sql).fetchall()
            if reading.label:
                yield _family(reading, {value: float(number) for value, number in rows})
            else:
                yield _family(reading, float(rows[0][0] or 0) if rows else 0.0)


def _from_redis(up: GaugeMetricFamily) -> Iterator[Metric]:
    urls = redis_urls()
    with ThreadPoolExecutor(len(urls)) as pool:  # a frozen server answers only by a time-out
        found = dict(zip(urls, pool.map(redis_memory, urls.values()), strict=True))
    yield from _memory_families(found)
    answers = {name: memory is not None for name, memory in found.items()}
    if answers[BROKER]:
        try:
            yield from _from_broker(urls[BROKER])
        except redis.RedisError as error:
            logger.warning("no metrics from Redis: %s", error)
            answers[BROKER] = False
    for name, answered in answers.items():
        up.add_metric([name], float(answered))


def _memory_families(found: dict[str, RedisMemory | None]) -> Iterator[Metric]:
    used = GaugeMetricFamily(
        f"{PREFIX}redis_memory_bytes", "Memory that Redis uses", labels=["server"]
    )
    limit = GaugeMetricFamily(
        f"{PREFIX}redis_memory_limit_bytes",
        "Memory that Redis may use; 0 is no limit",
        labels=["server"],
    )
    evicted = CounterMetricFamily(
        f"{PREFIX}redis_evicted_keys",
        "What Redis has forgotten to make room",
        labels=["server"],
    )
    for name, memory in found.items():
        if memory is not None:
            used.add_metric([name], memory.used)
            limit.add_metric([name], memory.limit)
            evicted.add_metric([name], memory.evicted)
    yield from (used, limit, evicted)


def _from_broker(url: str) -> Iterator[Metric]:
    """Every RedisReading, in one round trip."""
    readings = redis_readings()
    with open_redis(url) as client:
        pipeline = client.pipeline(transaction=False)
        for reading in readings:
            for command in reading.commands:
                pipeline.execute_command(*command)
        replies = iter(pipeline.execute())
    for reading in readings:
        yield _family(reading, reading.value([next(replies) for _ in reading.commands]))


def _family(reading: Reading | RedisReading, found: float | Mapping[str, float]) -> Metric:
    family = CounterMetricFamily if reading.rises_only else GaugeMetricFamily
    name = f"{PREFIX}{reading.name}"
    if not isinstance(found, Mapping):
        return family(name, reading.about, value=found)
    metric = family(name, reading.about, labels=[reading.label])
    for value, number in found.items():
        metric.add_metric([value], number)
    return metric


_registry = CollectorRegistry()
_registry.register(ScrapeCollector())


def scrape() -> bytes:
    """The numbers of this moment in Prometheus' text format, read by the calling thread."""
    return generate_latest(_registry)
