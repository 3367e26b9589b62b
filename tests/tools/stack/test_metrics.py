"""/metrics reads every registered number, is made once for all who ask, and is for few."""

import ipaddress
import re
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from apps.core import metrics, metrics_view
from tests.tools.stack.asking import ask, frozen
from tools import embedded
from tools.embedded import redis_server


@pytest.fixture(autouse=True)
def no_kept_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_view, "_kept", metrics_view._new_kept())


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/nobody.sock"


@pytest.mark.django_db
def test_every_reading_is_a_number_on_the_real_schema() -> None:
    text = ask(metrics_view.metrics).content.decode()
    for reading in metrics.database_readings():
        suffix = "_total" if reading.rises_only else ""
        labels = f"{{{reading.label}=" if reading.label else " "
        assert f"\nstorefront_{reading.name}{suffix}{labels}" in text
    assert 'storefront_up{service="database"} 1.0' in text
    assert 'storefront_up{service="redis"} 1.0' in text
    assert 'storefront_bells_waiting{queue="checkout"} 0.0' in text


@pytest.mark.django_db
@pytest.mark.parametrize("reading", metrics.database_readings(), ids=lambda reading: reading.name)
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
    settings.CARTS_REDIS_URL = settings.RATE_LIMITS_REDIS_URL = nowhere
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": nowhere}}
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
    text = ask(metrics_view.metrics).content.decode()
    assert 'storefront_up{service="database"} 0.0' in text
    for name in embedded.REDIS_NAMES:
        assert f'storefront_up{{service="{name}"}} 0.0' in text


@pytest.mark.django_db
def test_each_redis_tells_of_its_memory() -> None:
    text = ask(metrics_view.metrics).content.decode()
    for name, server in redis_server.REDIS_SERVERS.items():
        megabytes = int(server.maxmemory.removesuffix("mb"))
        found = re.search(rf'redis_memory_limit_bytes\{{server="{name}"\}} (\S+)', text)
        assert found is not None and float(found[1]) == megabytes * 1024**2
        assert f'storefront_redis_memory_bytes{{server="{name}"}}' in text
        assert f'storefront_redis_evicted_keys_total{{server="{name}"}}' in text
        assert f'storefront_up{{service="{name}"}} 1.0' in text


@pytest.fixture
def scrapes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each scrape."""
    made: list[str] = []

    def make() -> bytes:
        made.append("once")
        return f"scrape {len(made)}".encode()

    monkeypatch.setattr(metrics_view, "scrape", make)
    return made


def test_requests_within_seconds_share_one_scrape(scrapes: list[str]) -> None:
    assert {ask(metrics_view.metrics).content for _ in range(50)} == {b"scrape 1"}
    assert scrapes == ["once"]


def test_processes_share_a_scrape(scrapes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for _ in range(3):
        monkeypatch.setattr(metrics_view, "_kept", metrics_view._new_kept())  # what a process knows
        answers.append(ask(metrics_view.metrics).content)
    assert answers == [b"scrape 1"] * 3
    cache.delete(metrics_view.ANSWER)
    monkeypatch.setattr(metrics_view, "_kept", metrics_view._new_kept())
    assert ask(metrics_view.metrics).content == b"scrape 2"


def test_a_process_waits_for_the_scrape_of_another(scrapes: list[str]) -> None:
    cache.set(metrics_view.MAKING, 1, timeout=10)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(ask, metrics_view.metrics)
        assert not wait([waiting], timeout=0.2).done
        cache.set(metrics_view.ANSWER, b"of another process", timeout=2)
        assert waiting.result(timeout=5).content == b"of another process"
    assert scrapes == []


def test_a_scrape_whose_process_died_is_made_by_another(
    scrapes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_view, "MAKING_SECONDS", 0.2)
    cache.set(metrics_view.MAKING, 1, timeout=None)
    assert ask(metrics_view.metrics).content == b"scrape 1"


def test_metrics_do_not_need_the_cache(scrapes: list[str]) -> None:
    with frozen(embedded.REDIS_CACHE):
        assert ask(metrics_view.metrics).content == b"scrape 1"
        assert ask(metrics_view.metrics).content == b"scrape 1"


@pytest.mark.parametrize(
    ("proxies", "allowed", "peer", "forwarded_for", "status"),
    [
        (0, "", "127.0.0.1", "", 200),
        (0, "", "::1", "", 200),
        (0, "", "127.4.5.6", "", 200),
        (0, "", "::ffff:127.0.0.1", "", 200),
        (0, "", "203.0.113.5", "", 404),
        (0, "", "10.1.2.3", "", 404),
        (0, "", "", "", 404),
        (0, "10.0.0.0/8", "10.1.2.3", "", 200),
        (0, "10.0.0.0/8", "11.1.2.3", "", 404),
        (0, "2001:db8::/32", "2001:db8:1::7", "", 200),
        (0, "2001:db8::/32", "2001:db9:1::7", "", 404),
        # Behind the edge, whose own address is this machine's or (a unix socket) none.
        (1, "", "127.0.0.1", "203.0.113.5", 404),
        (1, "", "127.0.0.1", "127.0.0.1", 200),
        (1, "", "", "127.0.0.1", 200),
        (1, "", "", "203.0.113.5", 404),
        (1, "", "127.0.0.1", "127.0.0.1, 203.0.113.5", 404),
        (1, "", "127.0.0.1", "203.0.113.5, 127.0.0.1", 200),
        (1, "203.0.113.0/24", "127.0.0.1", "203.0.113.5", 200),
        (2, "", "127.0.0.1", "10.9.9.9, 203.0.113.5", 404),
        # A header that cannot be trusted is no address, and the peer is a proxy then.
        (1, "", "127.0.0.1", "garbage", 404),
        (2, "", "127.0.0.1", "203.0.113.5", 404),
        (2, "", "127.0.0.1", "127.0.0.1", 404),
        (0, "", "127.0.0.1", "203.0.113.5", 404),
        (0, "", "127.0.0.1", "127.0.0.1", 404),
    ],
)
def test_metrics_are_for_this_machine_and_the_networks_of_the_setting(
    client: Client,
    settings: Any,
    scrapes: list[str],
    proxies: int,
    allowed: str,
    peer: str,
    forwarded_for: str,
    status: int,
) -> None:
    settings.TRUSTED_PROXIES = proxies
    settings.METRICS_ALLOW = [ipaddress.ip_network(allowed)] if allowed else []
    headers = {"HTTP_X_FORWARDED_FOR": forwarded_for} if forwarded_for else {}
    answer = client.get("/metrics", REMOTE_ADDR=peer, **headers)
    assert answer.status_code == status
    assert scrapes == (["once"] if status == 200 else [])
