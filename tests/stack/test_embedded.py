"""The shop's own servers, and what may lie around when they start."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from storefront import embedded
from storefront.embedded import EmbeddedError, serving


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """These tests have servers of their own; the session's are not needed."""


@pytest.fixture(scope="module")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that ran once and was stopped properly; copy it, do not use it."""
    home = tmp_path_factory.mktemp("finished") / "home"
    with serving(home):
        with embedded.connect(home) as connection:
            connection.execute("CREATE TABLE mugs (name text)")
            connection.execute("INSERT INTO mugs VALUES ('blue mug')")
    return home


@pytest.fixture
def home(finished_home: Path, tmp_path: Path) -> Iterator[Path]:
    """Yesterday's home: one table with one mug in it, nothing running."""
    home = tmp_path / "home"
    shutil.copytree(finished_home, home, ignore=shutil.ignore_patterns("*.sock"))
    owner = (finished_home / "postgres").stat()
    for path in (home / "postgres", *(home / "postgres").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    yield home
    embedded.stop(home)


@pytest.fixture
def said() -> list[str]:
    return []


def mugs(home: Path) -> list[str]:
    with embedded.connect(home) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM mugs").fetchall()]


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def redis_process(home: Path) -> int:
    return int((home / "redis" / "pid").read_text())


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
    assert not home.exists()


def test_a_new_home_serves_both_and_stops_them_at_the_end(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home):
        pids = [postmaster(home), redis_process(home)]
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
        with redis.Redis.from_url(embedded.redis_url(home)) as client:
            assert client.config_get("port") == {"port": "0"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


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
    pids = [postmaster(home), redis_process(home)]
    with embedded.connect(home) as connection:
        connection.execute("INSERT INTO mugs VALUES ('red mug')")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)

    with serving(home):
        assert mugs(home) == ["blue mug", "red mug"]
        assert redis.Redis.from_url(embedded.redis_url(home)).ping()


def test_a_pid_file_that_names_somebody_else_is_stale(home: Path) -> None:
    words = f"{os.getpid()}\n{home}/postgres\n1700000000\n5432\n{home}/run\n\n0 0\nready\n"
    (home / "postgres" / "postmaster.pid").write_text(words)
    (home / "redis" / "pid").write_text(str(os.getpid()))
    with serving(home):
        assert postmaster(home) != os.getpid()
        assert mugs(home) == ["blue mug"]


def test_sockets_of_yesterday_do_not_matter(home: Path) -> None:
    for name in (embedded.POSTGRES_SOCKET, embedded.REDIS_SOCKET):
        with socket.socket(socket.AF_UNIX) as listener:
            (home / "run" / name).unlink(missing_ok=True)
            listener.bind(str(home / "run" / name))
    (home / "run" / f"{embedded.POSTGRES_SOCKET}.lock").write_text(f"{os.getpid()}\n")
    with serving(home):
        assert mugs(home) == ["blue mug"]
        assert redis.Redis.from_url(embedded.redis_url(home)).ping()


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
    orphans = [postmaster(home), redis_process(home)]
    shutil.rmtree(home)
    with serving(home):
        assert not any(map(alive, orphans))
        assert postmaster(home) not in orphans
        assert redis.Redis.from_url(embedded.redis_url(home)).ping()


def test_an_unreadable_snapshot_costs_the_carts_and_not_the_shop(
    home: Path, said: list[str]
) -> None:
    (home / "redis" / "dump.rdb").write_bytes(b"REDIS0009 and then the machine lost power")
    with serving(home, postgres=False, say=said.append):
        assert redis.Redis.from_url(embedded.redis_url(home)).dbsize() == 0
    assert any("cannot read its snapshot" in line for line in said)
    assert (home / "redis" / "dump.rdb.unreadable").exists()


def test_guests_carts_outlive_a_restart(home: Path) -> None:
    with serving(home, postgres=False), redis.Redis.from_url(embedded.redis_url(home)) as client:
        client.set("cart", "blue mug")
    with serving(home, postgres=False), redis.Redis.from_url(embedded.redis_url(home)) as client:
        assert client.get("cart") == b"blue mug"


def test_a_home_too_deep_for_a_socket_gets_a_short_stand_in(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 20) / ("deeper" * 10)
    folder = embedded.socket_folder(home)
    assert folder.parent == Path("/tmp")
    assert folder == embedded.socket_folder(home) != embedded.socket_folder(home / "other")
    try:
        with serving(home):
            assert psycopg.connect(embedded.database_url(home)).info.dbname == "storefront"
            assert redis.Redis.from_url(embedded.redis_url(home)).ping()
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
