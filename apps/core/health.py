"""Health checks: is this process alive, is the shop ready.

`/healthz` says that this process answers, whatever else is down: for what restarts processes.
`/readyz` says that an order could be accepted now: for the load balancer. Each probe opens its own
connection with a short time-out, so that it reports an exhausted pool or a frozen Redis instead of
waiting for it like the requests of shoppers.
`/metrics` is in metrics_view.py.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection as BrokerConnection

from apps.core.metrics_view import metrics
from apps.core.probing import (
    PROBE_SECONDS,
    open_connection,
    open_redis,
    redis_server_of,
    redis_urls,
)
from apps.core.shared_answer import SharedAnswer

logger = logging.getLogger(__name__)

# Strangers may ask: many requests of /readyz must not become many connections to PostgreSQL.
ANSWER_KEPT_SECONDS = 0.5
# Longer than a round of probes that all run into their time-outs.
ANSWER_AT_MOST_SECONDS = 4 * PROBE_SECONDS


class NotReady(Exception):
    """A probe has failed; the text may be shown to strangers."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process can answer at all."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 `{status, checks}`, or 503 that adds `missing`: the names of the checks that failed."""
    checks = _kept.answer()
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
    """The main server and the one of the carts: an order can be taken without cache and limits."""
    urls = redis_urls()
    needed = {redis_server_of(urls[name]): name for name in ("redis-carts", "redis")}
    with ThreadPoolExecutor(len(needed)) as pool:
        # list(): the first that does not answer raises here.
        list(pool.map(lambda name: _ping(urls[name]), needed.values()))


def _ping(url: str) -> None:
    with open_redis(url) as client:
        client.ping()


def probe_broker() -> None:
    timeout_s = PROBE_SECONDS / 2  # kombu tries twice
    with BrokerConnection(
        settings.CELERY_BROKER_URL,
        connect_timeout=timeout_s,
        transport_options={"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s},
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
    """The last migration of each app, by the files of this process."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _finding(probe: Callable[[], None]) -> str:
    try:
        probe()
    except NotReady as finding:
        return str(finding)
    except Exception as error:  # whatever a driver raises, the check has failed
        # The text may hold an address or a password: it goes into the log, which redacts it, and
        # not into the answer.
        logger.warning("%s: %s: %s", probe.__name__, type(error).__name__, error)
        return f"no answer ({type(error).__name__})"
    return "ok"


def _probe_all() -> dict[str, str]:
    with ThreadPoolExecutor(max_workers=len(PROBES)) as pool:
        findings = pool.map(_finding, PROBES.values())
        return dict(zip(PROBES, findings, strict=True))


def _new_kept() -> SharedAnswer[dict[str, str]]:
    return SharedAnswer(_probe_all, good_for=ANSWER_KEPT_SECONDS, at_most=ANSWER_AT_MOST_SECONDS)


_kept = _new_kept()

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
