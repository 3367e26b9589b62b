"""`/metrics` for Prometheus: how much waits, since when, and what gave up.

The numbers are read from PostgreSQL and Redis at the moment of the scrape, not counted in memory:
whichever of the web processes answers gives the same picture, the checkout pays nothing, and no
number dies with a killed worker. Every query is answered by a partial index or by PostgreSQL's
own statistics, so that a scrape costs the same with five million orders.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import psycopg
import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from storefront.probing import PROBE_SECONDS, open_connection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One number: a query of one row and one column, NULL read as 0."""

    name: str
    about: str
    sql: str
    rises_only: bool = False

    def metric(self, value: float) -> Metric:
        family = CounterMetricFamily if self.rises_only else GaugeMetricFamily
        return family(f"storefront_{self.name}", self.about, value=value)


def _waiting(table: str, condition: str) -> str:
    return f"SELECT count(*) FROM {table} WHERE {condition}"  # noqa: S608  (constants below)


def _lateness(table: str, condition: str, moment: str = "due_at") -> str:
    late = f"greatest(0, extract(epoch FROM now() - min({moment})))"
    return f"SELECT {late} FROM {table} WHERE {condition}"  # noqa: S608  (constants below)


def _inserted(table: str) -> str:
    return f"SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = '{table}'"  # noqa: S608


# The conditions are those of the partial indexes, word for word: else they would not be used.
_SAGAS = ("orders_saga", "state IN ('forward', 'undoing')")
_IN_REVIEW = ("orders_saga", "state = 'review'")
_INBOX = ("payments_webhookinbox", "state = 'received'")
_UNMIRRORED = ("payments_webhookinbox", "mirrored_at IS NULL")
_MAIL = ("notifications_notification", "state = 'due'")
_DISCREPANCIES = ("payments_discrepancy", "state = 'open'")


def _reconciled_ago(scope: str) -> str:
    """Seconds since the last whole comparison, or since the first began that has not ended."""
    return (
        "SELECT extract(epoch FROM now() - coalesce(finished_at, started_at))"  # noqa: S608
        f" FROM payments_reconciliation WHERE scope = '{scope}'"
    )


READINGS = (
    Reading(
        name="orders_accepted",
        about="Orders written since PostgreSQL's statistics began",
        sql=_inserted("orders_order"),
        rises_only=True,
    ),
    Reading(name="sagas_open", about="Orders under way", sql=_waiting(*_SAGAS)),
    Reading(
        name="sagas_late_seconds",
        about="How long the longest waiting due saga is due",
        # A saga on its way is due since the order was placed (saga.py); untouched means late.
        sql=_lateness(*_SAGAS, moment="greatest(due_at, updated_at)"),
    ),
    Reading(
        name="sagas_in_review",
        about="Orders that wait for a person's decision",
        sql=_waiting(*_IN_REVIEW),
    ),
    Reading(name="webhooks_waiting", about="Webhooks received, not applied", sql=_waiting(*_INBOX)),
    Reading(
        name="webhooks_late_seconds",
        about="How long the longest waiting webhook is due",
        sql=_lateness(*_INBOX),
    ),
    Reading(
        name="webhooks_unmirrored",
        about="Webhooks that dj-stripe's tables do not show yet",
        sql=_waiting(*_UNMIRRORED),
    ),
    Reading(name="mail_waiting", about="Notifications due and not sent", sql=_waiting(*_MAIL)),
    Reading(
        name="mail_late_seconds",
        about="How long the longest waiting notification is due",
        sql=_lateness(*_MAIL),
    ),
    Reading(
        name="discrepancies_open",
        about="What does not fit between the gateway's books and ours",
        sql=_waiting(*_DISCREPANCIES),
    ),
    Reading(
        name="reconciled_open_seconds_ago",
        about="Since our open payments were last compared with the gateway's",
        sql=_reconciled_ago("open"),
    ),
    Reading(
        name="reconciled_recent_seconds_ago",
        about="Since the gateway's latest payments were last compared with ours",
        sql=_reconciled_ago("recent"),
    ),
    Reading(
        name="reconciled_all_seconds_ago",
        about="Since all payments were last compared",
        sql=_reconciled_ago("all"),
    ),
    Reading(
        name="reconciler_failures",
        about="Comparisons in a row that did not come to their end",
        sql="SELECT max(failures) FROM payments_reconciliation",
    ),
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
)


class AtScrape(Collector):
    """Reads all numbers when asked; a server that does not answer shows as `storefront_up 0`."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("storefront_up", "Whether the service answers", labels=["service"])
        try:
            yield from self._from_database()
            up.add_metric(["database"], 1)
        except psycopg.Error as error:
            logger.warning("no metrics from PostgreSQL: %s", error)
            up.add_metric(["database"], 0)
        try:
            yield from self._from_redis()
            up.add_metric(["redis"], 1)
        except redis.RedisError as error:
            logger.warning("no metrics from Redis: %s", error)
            up.add_metric(["redis"], 0)
        yield up

    def _from_database(self) -> Iterator[Metric]:
        with open_connection() as connection:
            for reading in READINGS:
                row = connection.execute(reading.sql).fetchone()
                yield reading.metric(float(row[0] or 0) if row else 0.0)

    def _from_redis(self) -> Iterator[Metric]:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=PROBE_SECONDS,
            socket_connect_timeout=PROBE_SECONDS,
        ) as client:
            bells = GaugeMetricFamily(
                "storefront_bells_waiting", "Tasks in the broker's queue", labels=["queue"]
            )
            for queue in chain.from_iterable(settings.QUEUES.values()):
                bells.add_metric([queue], float(client.llen(queue)))
            yield bells
            yield from self._circuit(client)
            yield GaugeMetricFamily(
                "storefront_redis_memory_bytes",
                "Memory that Redis uses",
                value=float(client.info("memory")["used_memory"]),
            )

    @staticmethod
    def _circuit(client: "redis.Redis") -> Iterator[Metric]:
        """As the workers see it: apps/payments/breaker.py writes these keys."""
        known, opened = client.mget("circuit:gateway", "circuit:gateway:opened")
        now = known.decode().replace("-", "_") if isinstance(known, bytes) else "closed"
        circuit = GaugeMetricFamily(
            "storefront_gateway_circuit",
            "Whether calls to the card gateway go through, are kept back, or try it",
            labels=["state"],
        )
        for state in ("closed", "open", "half_open"):
            circuit.add_metric([state], float(state == now))
        yield circuit
        yield CounterMetricFamily(
            "storefront_gateway_circuit_opened",
            "How often the circuit has opened",
            value=float(opened or 0),
        )


_registry = CollectorRegistry()
_registry.register(AtScrape())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)
