"""The shop's own servers, and what may lie around when they start."""

import contextlib
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import psycopg
import pytest
import redis

from tools import embedded
from tools.embedded import EmbeddedError, redis_server, serving


def mugs(home: Path) -> list[str]:
    with embedded.connect(home) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM mugs").fetchall()]


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def redis_processes(home: Path) -> list[int]:
    return [int((home / name / "pid").read_text()) for name in embedded.REDIS_NAMES]


def answering(home: Path) -> set[str]:
    """The Redis servers of `home` that answer."""
    found = set()
    for name in embedded.REDIS_NAMES:
        with redis.Redis.from_url(embedded.redis_url(home, name)) as client:
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                found.add(name)
    return found


ALL = set(embedded.REDIS_NAMES)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.02)


def test_addresses_start_nothing(tmp_path: Path) -> None:
    home = tmp_path / "never-made"
    assert embedded.database_url(home, "shop") == f"postgresql://storefront@/shop?host={home}/run"
    assert embedded.redis_url(home) == f"unix://{home}/run/redis.sock"
    carts = embedded.redis_url(home, embedded.REDIS_CARTS)
    assert carts == f"unix://{home}/run/redis-carts.sock"
    assert not home.exists()


def test_a_new_home_serves_both_and_stops_them_at_the_end(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home):
        pids = [postmaster(home), *redis_processes(home)]
        assert psycopg.connect(embedded.database_url(home)).execute("SELECT 1").fetchone() == (1,)
        assert redis.Redis.from_url(embedded.redis_url(home) + "?db=3").ping()
        assert all(map(alive, pids))
    assert not any(map(alive, pids))


def test_nothing_listens_on_tcp_and_every_commit_reaches_the_disk(home: Path) -> None:
    with serving(home), embedded.connect(home) as connection:
        told = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("listen_addresses", "fsync", "synchronous_commit", "full_page_writes")
        }
        assert told == {
            "listen_addresses": "",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
        }
        for name in embedded.REDIS_NAMES:
            with redis.Redis.from_url(embedded.redis_url(home, name)) as client:
                assert client.config_get("port") == {"port": "0"}


def test_what_must_not_be_forgotten_is_never_evicted_and_shares_no_memory(home: Path) -> None:
    found = {}
    with serving(home, postgres=False):
        for name in embedded.REDIS_NAMES:
            with redis.Redis.from_url(embedded.redis_url(home, name)) as client:
                found[name] = client.info("memory")
    assert {name: told["maxmemory_policy"] for name, told in found.items()} == {
        "redis": "noeviction",
        "redis-carts": "noeviction",
        "redis-cache": "allkeys-lru",
        "redis-limits": "volatile-ttl",
    }
    limits = [told["maxmemory"] for told in found.values()]
    assert all(limits) and sum(limits) == 512 * 1024**2


@pytest.mark.parametrize("name", embedded.REDIS_NAMES)
def test_a_redis_that_died_alone_is_started_again_and_the_others_stay(
    home: Path, name: str
) -> None:
    with serving(home, postgres=False):
        before = redis_server.redis_pids(home)
        os.kill(before[name], signal.SIGKILL)
        wait_until_gone(before[name])
        assert redis_server.redis_pids(home)[name] is None

        redis_server.start_redis(home, say=print)

        assert answering(home) == ALL
        after = redis_server.redis_pids(home)
        assert {other for other in ALL if after[other] != before[other]} == {name}


def test_the_last_one_out_stops_the_servers(home: Path) -> None:
    with serving(home):
        pid = postmaster(home)
        with serving(home):
            assert postmaster(home) == pid  # joined, not started again
        assert mugs(home) == ["blue mug"]
    assert not alive(pid)


def test_servers_that_were_started_to_stay_are_not_stopped_by_a_visitor(home: Path) -> None:
    embedded.start(home)
    pid = postmaster(home)
    with serving(home):
        pass
    assert alive(pid)
    embedded.stop(home)
    assert not alive(pid)


def test_stopping_what_does_not_run_is_fine(home: Path, tmp_path: Path) -> None:
    embedded.stop(home)
    embedded.stop(tmp_path / "never-made")


def test_after_a_crash_both_come_back_with_what_was_committed(home: Path) -> None:
    embedded.start(home)
    pids = [postmaster(home), *redis_processes(home)]
    with embedded.connect(home) as connection:
        connection.execute("INSERT INTO mugs VALUES ('red mug')")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)

    with serving(home):
        assert mugs(home) == ["blue mug", "red mug"]
        assert answering(home) == ALL


def test_a_pid_file_that_names_another_program_is_stale(home: Path) -> None:
    words = f"{os.getpid()}\n{home}/postgres\n1700000000\n5432\n{home}/run\n\n0 0\nready\n"
    (home / "postgres" / "postmaster.pid").write_text(words)
    for name in embedded.REDIS_NAMES:
        (home / name / "pid").write_text(str(os.getpid()))
    with serving(home):
        assert postmaster(home) != os.getpid()
        assert mugs(home) == ["blue mug"]


def test_sockets_of_yesterday_do_not_matter(home: Path) -> None:
    for name in (embedded.POSTGRES_SOCKET, *(f"{name}.sock" for name in embedded.REDIS_NAMES)):
        with socket.socket(socket.AF_UNIX) as listener:
            (home / "run" / name).unlink(missing_ok=True)
            listener.bind(str(home / "run" / name))
    (home / "run" / f"{embedded.POSTGRES_SOCKET}.lock").write_text(f"{os.getpid()}\n")
    with serving(home):
        assert mugs(home) == ["blue mug"]
        assert answering(home) == ALL


def test_an_interrupted_initdb_is_done_again(tmp_path: Path, said: list[str]) -> None:
    home = tmp_path / "home"
    (home / "postgres.making" / "base").mkdir(parents=True)
    (home / "postgres.making" / "PG_VERSION").write_text("18\n")
    with serving(home, say=said.append):
        assert (home / "postgres" / "PG_VERSION").exists()
    assert "clearing away a data folder that was not finished" in said
    assert not (home / "postgres.making").exists()


def test_a_folder_that_never_was_a_database_is_put_aside(tmp_path: Path, said: list[str]) -> None:
    home = tmp_path / "home"
    (home / "postgres" / "base").mkdir(parents=True)
    with serving(home, say=said.append):
        pass
    assert len(list(home.glob("postgres.unfinished-*"))) == 1
    assert any("was never finished" in line for line in said)


def test_a_damaged_database_is_named_and_left_alone(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedError, match="PG_VERSION is missing") as caught, serving(home):
        pass
    assert "\n" not in str(caught.value)
    assert (home / "postgres" / "global" / "pg_control").exists()


def test_a_database_of_another_version_is_named_and_left_alone(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 16, this is 18"), serving(home):
        pass
    assert (home / "postgres" / "PG_VERSION").read_text() == "16\n"


def test_what_postgresql_says_of_its_failure_is_passed_on_in_one_line(home: Path) -> None:
    (home / "postgres" / "global" / "pg_control").write_bytes(b"not what it should be")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL does not start: .*pg_control") as caught:
        with serving(home):
            pass
    assert "\n" not in str(caught.value)


def test_a_server_whose_folder_was_deleted_is_ended_and_replaced(home: Path) -> None:
    embedded.start(home)
    orphans = [postmaster(home), *redis_processes(home)]
    shutil.rmtree(home)
    with serving(home):
        assert not any(map(alive, orphans))
        assert postmaster(home) not in orphans
        assert answering(home) == ALL


def test_an_unreadable_snapshot_costs_the_carts_and_not_the_shop(
    home: Path, said: list[str]
) -> None:
    snapshot = home / "redis-carts" / "dump.rdb"
    snapshot.write_bytes(b"REDIS0009 and then the machine lost power")
    with serving(home, postgres=False, say=said.append):
        assert redis.Redis.from_url(embedded.redis_url(home, embedded.REDIS_CARTS)).dbsize() == 0
    assert any("redis-carts cannot read its snapshot" in line for line in said)
    assert snapshot.with_name("dump.rdb.unreadable").exists()


def test_guests_carts_outlive_a_restart_and_the_cache_does_not(home: Path) -> None:
    urls = {name: embedded.redis_url(home, name) for name in embedded.REDIS_NAMES}
    with serving(home, postgres=False):
        for url in urls.values():
            with redis.Redis.from_url(url) as client:
                client.set("cart", "blue mug")
    with serving(home, postgres=False):
        kept = {name for name, url in urls.items() if redis.Redis.from_url(url).get("cart")}
    assert kept == ALL - {embedded.REDIS_CACHE}


def test_a_home_too_deep_for_a_socket_gets_a_short_stand_in(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 20) / ("deeper" * 10)
    folder = embedded.socket_folder(home)
    assert folder.parent == Path("/tmp")
    assert folder == embedded.socket_folder(home) != embedded.socket_folder(home / "other")
    try:
        with serving(home):
            assert psycopg.connect(embedded.database_url(home)).info.dbname == "storefront"
            assert answering(home) == ALL
            assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_stand_in_that_someone_else_prepared_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 20) / ("deeper" * 10)
    folder = embedded.socket_folder(home)
    (tmp_path / "trap").mkdir()
    folder.symlink_to(tmp_path / "trap")
    try:
        with pytest.raises(EmbeddedError, match="belongs to someone else"), serving(home):
            pass
    finally:
        folder.unlink()


def test_a_home_that_cannot_be_one_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"STOREFRONT_HOME .*/file cannot be used: file exists"):
        with serving(tmp_path / "file"):
            pass


def test_databases_are_made_once_and_dropped_with_their_users(home: Path) -> None:
    with serving(home):
        assert embedded.ensure_database(home, "journeys")
        assert not embedded.ensure_database(home, "journeys")
        visitor = embedded.connect(home, "journeys")
        embedded.drop_database(home, "journeys")
        with pytest.raises(psycopg.OperationalError):
            visitor.execute("SELECT 1")


def test_a_server_that_died_is_started_again_with_what_was_committed(
    home: Path, said: list[str]
) -> None:
    with serving(home):
        before = postmaster(home)
        os.kill(before, signal.SIGKILL)
        wait_until_gone(before)
        embedded.keep_up(home, postgres=True, redis=True, afresh=True, say=said.append)
        assert mugs(home) == ["blue mug"]
        assert said == ["starting PostgreSQL"]
        embedded.keep_up(home, postgres=True, redis=True, afresh=True, say=said.append)
        assert said == ["starting PostgreSQL"]


def test_a_frozen_session_of_a_dead_server_does_not_keep_the_next_from_starting(home: Path) -> None:
    """With one process of the old server left no new one may touch the data."""
    with serving(home):
        before = postmaster(home)
        with embedded.connect(home) as connection:
            session = connection.info.backend_pid
            os.kill(session, signal.SIGSTOP)
            os.kill(before, signal.SIGKILL)
            wait_until_gone(before)
            embedded.keep_up(home, postgres=True, afresh=True)
        assert not alive(session)
        assert mugs(home) == ["blue mug"]


def test_a_stop_that_came_first_stands(home: Path) -> None:
    with serving(home):
        before = postmaster(home)
        os.kill(before, signal.SIGKILL)
        wait_until_gone(before)
        embedded.keep_up(home, postgres=True, afresh=True, unless=lambda: True)
        assert not embedded.postgres_runs(home)


def test_a_silent_postgres_does_not_answer_and_a_full_one_does(home: Path) -> None:
    assert not embedded.postgres_answers(home)
    with serving(home):
        assert embedded.postgres_answers(home)
        pid = postmaster(home)
        os.kill(pid, signal.SIGSTOP)
        assert not embedded.postgres_answers(home)
        assert embedded.postgres_runs(home)
        os.kill(pid, signal.SIGCONT)
        assert embedded.postgres_answers(home)
