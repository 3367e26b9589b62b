"""Readiness and metrics tell the truth about each server, also when it is gone or frozen."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import RequestFactory

from storefront import health, metrics


@pytest.fixture(autouse=True)
def no_kept_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_kept", health.KeptAnswer())


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/nobody.sock"


def ask(view, method: str = "get"):
    return view(getattr(RequestFactory(), method)("/"))


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
    pid = int((settings.STOREFRONT_HOME / "redis" / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        status, body = ready()
        took = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    assert status == 503
    assert body["missing"] == ["redis", "broker"]
    assert took < 2 * health.PROBE_SECONDS


@pytest.mark.django_db
def test_a_crowd_at_the_door_is_one_round_of_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(health, "PROBES", {"database": lambda: asked.append("once")})
    for _ in range(50):
        assert ready()[0] == 200
    assert asked == ["once"]


@pytest.mark.django_db
def test_every_reading_is_a_number_on_the_real_schema() -> None:
    text = ask(metrics.metrics).content.decode()
    for reading in metrics.READINGS:
        suffix = "_total" if reading.rises_only else ""
        assert f"\nstorefront_{reading.name}{suffix} " in text
    assert 'storefront_up{service="database"} 1.0' in text
    assert 'storefront_up{service="redis"} 1.0' in text
    assert 'storefront_bells_waiting{queue="checkout"} 0.0' in text


@pytest.mark.django_db
@pytest.mark.parametrize("reading", metrics.READINGS, ids=lambda reading: reading.name)
def test_no_reading_walks_a_table_that_grows(reading: metrics.Reading) -> None:
    """With sequential scans forbidden the planner shows one only where there is no other way."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {reading.sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for table in ("orders_saga", "payments_webhookinbox", "notifications_notification"):
        assert f"Seq Scan on {table}" not in plan


def test_without_servers_there_are_still_metrics(
    monkeypatch: pytest.MonkeyPatch, settings, nowhere: str
) -> None:
    settings.REDIS_URL = nowhere
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
    text = ask(metrics.metrics).content.decode()
    assert 'storefront_up{service="database"} 0.0' in text
    assert 'storefront_up{service="redis"} 0.0' in text
