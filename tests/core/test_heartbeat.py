"""Signs of life of workers and beat."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.worker.consumer import Consumer

from apps.core import heartbeat
from storefront.celery import app
from tests.waiting import until


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """No Redis is needed here."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A heartbeat file that was touched an hour ago."""
    file = tmp_path / "worker"
    file.touch()
    os.utime(file, (time.time() - 3600,) * 2)
    monkeypatch.setattr(heartbeat, "FILE", str(file))
    monkeypatch.setattr(heartbeat, "EVERY", 0.01)
    return file


def age(file: Path) -> float:
    return time.time() - file.stat().st_mtime


def test_beat_touches_the_file_and_makes_it_when_it_is_gone(file: Path) -> None:
    heartbeat.beat()
    assert age(file) < 60
    file.unlink()
    heartbeat.beat()
    assert file.exists()


def test_beat_without_a_file_or_a_place_for_it_is_no_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FILE", str(file / "below-a-file"))
    heartbeat.beat()
    monkeypatch.setattr(heartbeat, "FILE", "")
    heartbeat.beat()


def test_worker_beats_while_it_waits_for_its_broker_and_not_after(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten = []

    def wait_for_redis(consumer: object, conn: object) -> object:
        os.utime(file, (time.time() - 3600,) * 2)
        until(lambda: age(file) < 60)
        beaten.append(conn)
        return conn

    monkeypatch.setattr(Consumer, "ensure_connected", wait_for_redis)
    consumer = heartbeat.WaitingConsumer.__new__(heartbeat.WaitingConsumer)
    assert consumer.ensure_connected("redis") == "redis"
    assert beaten == ["redis"]
    os.utime(file, (time.time() - 3600,) * 2)
    time.sleep(0.1)
    assert age(file) > 3000


def test_worker_beats_by_the_timer_of_its_loop() -> None:
    asked = []
    timer = SimpleNamespace(call_repeatedly=lambda seconds, what: asked.append((seconds, what)))
    heartbeat.HeartbeatStep(SimpleNamespace()).start(SimpleNamespace(timer=timer))
    assert asked == [(heartbeat.EVERY, heartbeat.beat)]


def test_every_worker_and_beat_of_the_shop_does() -> None:
    assert heartbeat.HeartbeatStep in app.steps["worker"]
    assert app.conf.worker_consumer == "apps.core.heartbeat:WaitingConsumer"
    assert app.conf.beat_scheduler == "apps.core.heartbeat:BeatingScheduler"
