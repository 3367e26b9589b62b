"""What machines ask the shop: is it alive, is it ready.

`/healthz` says that this process answers, whatever else is down: who restarts processes asks it.
`/readyz` says that an order could be taken now: who sends shoppers asks it. Each probe brings its
own connection and a short time-out, so that it tells the truth about an exhausted pool or a
frozen Redis instead of waiting in the same queue as the shoppers.
`/metrics` is told in metrics.py.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import redis
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection as BrokerConnection

from storefront.metrics import metrics
from storefront.probing import PROBE_SECONDS, open_connection

logger = logging.getLogger(__name__)

# Strangers may ask, too: a crowd at /readyz must not become a crowd at PostgreSQL's door.
ANSWER_KEPT_SECONDS = 0.5


class NotReady(Exception):
    """A probe's finding, in words that may be shown to anybody."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process can answer at all."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 `{status, checks}`, or 503 that adds `missing`: the names of the checks that failed."""
    checks = _kept.checks()
    missing = [name for name, finding in checks.items() if finding != "ok"]
    if missing:
        return JsonResponse(
            {"status": "not ready", "missing": missing, "checks": checks}, status=503
        )
    return JsonResponse({"status": "ready", "checks": checks})


def probe_migrations() -> None:
    with open_connection() as connection:
        rows = connection.execute("SELECT app, name FROM django_migrations").fetchall()
    pending = sorted(f"{app}.{name}" for app, name in _latest_migrations() - set(rows))
    if pending:
        raise NotReady(f"not applied: {', '.join(pending)}")


def probe_database() -> None:
    with open_connection() as connection:
        connection.execute("SELECT 1")


def probe_redis() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PROBE_SECONDS,
        socket_connect_timeout=PROBE_SECONDS,
    ) as client:
        client.ping()


def probe_broker() -> None:
    patience = PROBE_SECONDS / 2  # kombu tries twice
    with BrokerConnection(
        settings.CELERY_BROKER_URL,
        connect_timeout=patience,
        transport_options={"socket_timeout": patience, "socket_connect_timeout": patience},
    ) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)


PROBES: dict[str, Callable[[], None]] = {
    "database": probe_database,
    "migrations": probe_migrations,
    "redis": probe_redis,
    "broker": probe_broker,
}


@cache
def _latest_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app, as the files of this process have it."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _finding(probe: Callable[[], None]) -> str:
    try:
        probe()
    except NotReady as finding:
        return str(finding)
    except Exception as error:  # whatever a driver raises, it means "no"
        # The text may hold an address or a password: into the log (which redacts), not the answer.
        logger.warning("%s: %s: %s", probe.__name__, type(error).__name__, error)
        return f"no answer ({type(error).__name__})"
    return "ok"


class KeptAnswer:
    """One round of probes at a time and process, good for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._checks: dict[str, str] = {}

    def checks(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() > self._until:
                with ThreadPoolExecutor(max_workers=len(PROBES)) as pool:
                    findings = pool.map(_finding, PROBES.values())
                    self._checks = dict(zip(PROBES, findings, strict=True))
                self._until = time.monotonic() + ANSWER_KEPT_SECONDS
            return self._checks


_kept = KeptAnswer()

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
