"""Liveness and readiness tell the truth about each server, also when it is gone or frozen."""

import json
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from django.db import connection

from apps.core import health
from tests.tools.stack.asking import ask, frozen
from tools import embedded


@pytest.fixture(autouse=True)
def no_kept_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_kept", health._new_kept())


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/nobody.sock"


def ready() -> tuple[int, dict]:
    response = ask(health.readyz)
    return response.status_code, json.loads(response.content)


def test_alive_whatever_else_is_down() -> None:
    assert ask(health.healthz).status_code == 200
    assert ask(health.healthz, "post").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_ready_when_all_answer() -> None:
    status, body = ready()
    assert (status, body) == (
        200,
        {
            "status": "ready",
            "checks": {"database": "ok", "migrations": "ok", "redis": "ok", "broker": "ok"},
        },
    )


@pytest.mark.django_db
def test_missing_redis_and_broker_are_named(settings, nowhere: str) -> None:
    settings.REDIS_URL = nowhere
    settings.CELERY_BROKER_URL = nowhere.replace("unix", "redis+socket")
    status, body = ready()
    assert status == 503
    assert body["missing"] == ["redis", "broker"]
    assert "nobody.sock" not in str(body)  # the log has the address, a stranger does not


@pytest.mark.django_db
def test_missing_database_is_named_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
    status, body = ready()
    assert status == 503
    assert body["missing"] == ["database", "migrations"]
    assert "no_such_database" not in str(body)


@pytest.mark.django_db
def test_a_migration_that_was_not_applied_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    latest = frozenset({("orders", "9999_from_the_next_release")})
    monkeypatch.setattr(health, "_latest_migrations", lambda: latest)
    status, body = ready()
    assert status == 503
    assert body["missing"] == ["migrations"]
    assert body["checks"]["migrations"] == "not applied: orders.9999_from_the_next_release"


@pytest.mark.django_db
def test_a_frozen_redis_is_reported_and_not_waited_for() -> None:
    with frozen(*embedded.REDIS_NAMES):
        began = time.monotonic()
        status, body = ready()
        took = time.monotonic() - began
    assert status == 503
    assert body["missing"] == ["redis", "broker"]
    assert took < 2 * health.PROBE_SECONDS


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        (embedded.REDIS, ["redis", "broker"]),
        (embedded.REDIS_CARTS, ["redis"]),
        (embedded.REDIS_CACHE, []),
        (embedded.REDIS_LIMITS, []),
    ],
)
def test_readiness_asks_for_what_an_order_needs(name: str, missing: list[str]) -> None:
    with frozen(name):
        status, body = ready()
    assert (status, body.get("missing", [])) == (503 if missing else 200, missing)


@pytest.mark.django_db
def test_requests_do_not_wait_for_a_slow_round_of_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise many requests for the state of a frozen server occupy every thread."""
    begun, go_on = threading.Event(), threading.Event()

    def probe() -> None:
        if begun.is_set():
            go_on.wait(60)

    monkeypatch.setattr(health, "PROBES", {"database": probe})
    monkeypatch.setattr(health, "ANSWER_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(health, "_kept", health._new_kept())
    assert ready()[0] == 200
    begun.set()
    with ThreadPoolExecutor(20) as pool:
        slow = [pool.submit(ready) for _ in range(20)]
        done, waiting = wait(slow, timeout=60, return_when=FIRST_COMPLETED)
        while len(done) < 19:
            done, waiting = wait(slow, timeout=0.1)
        assert len(waiting) == 1
        go_on.set()
    assert {answer.result()[0] for answer in slow} == {200}


@pytest.mark.django_db
def test_fifty_requests_make_one_round_of_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(health, "PROBES", {"database": lambda: asked.append("once")})
    for _ in range(50):
        assert ready()[0] == 200
    assert asked == ["once"]
