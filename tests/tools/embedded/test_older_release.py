"""A home or a database of an earlier release: put aside or refused in one line."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.waiting import until
from tools import embedded
from tools.embedded import EmbeddedError, serving
from tools.embedded.older_release import LAYOUT, has_older_history
from tools.embedded.processes import runs
from tools.stack import Ports

OLD_HISTORY = """
    CREATE TABLE django_migrations (id serial, app text, name text, applied timestamptz);
    INSERT INTO django_migrations (app, name)
    VALUES ('orders', '0001_initial'), ('desk', '0001_initial');
"""


@pytest.fixture
def older_home(home: Path) -> Path:
    """What an earlier release left: a stopped database with its tables, no layout file."""
    with serving(home), embedded.connect(home) as connection:
        connection.execute(OLD_HISTORY)
    (home / "layout").unlink(missing_ok=True)
    return home


@pytest.fixture
def older_database(embedded_services: None) -> Iterator[str]:
    """The URL of a database with the migration history of an earlier release."""
    home = settings.STOREFRONT_HOME
    embedded.drop_database(home, "older")
    embedded.ensure_database(home, "older")
    with embedded.connect(home, "older") as connection:
        connection.execute(OLD_HISTORY)
    yield embedded.database_url(home, "older")
    embedded.drop_database(home, "older")


def put_aside(home: Path) -> list[Path]:
    return sorted(home.parent.glob(f"{home.name}-before-*"))


def tables(home: Path) -> list[str]:
    with embedded.connect(home) as connection:
        statement = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return sorted(name for (name,) in connection.execute(statement).fetchall())


def command(*argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *argv],
        cwd=settings.BASE_DIR,
        env=clean | {"DEBUG": "1"} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_new_home_is_stamped_before_it_has_a_database(tmp_path: Path) -> None:
    with serving(tmp_path / "home", postgres=False):
        assert (tmp_path / "home" / "layout").read_text().strip() == str(LAYOUT)


def test_a_home_of_this_release_is_kept(home: Path, said: list[str]) -> None:
    with serving(home, say=said.append):
        assert tables(home) == ["mugs"]
    assert put_aside(home) == []


def test_an_older_home_is_put_aside_whole_and_a_new_one_begins(
    older_home: Path, said: list[str]
) -> None:
    (older_home / "mail").mkdir()
    with serving(older_home, say=said.append):
        assert tables(older_home) == []
    (aside,) = put_aside(older_home)
    assert [line for line in said if "earlier release" in line] == [
        f"{older_home} was made by an earlier release of the shop: "
        f"it is kept as {aside.name}, and a new one is made"
    ]
    assert (aside / "mail").is_dir()
    aside.rename(older_home.with_name("read"))  # the database in it is whole
    (older_home.with_name("read") / "layout").write_text(str(LAYOUT))
    with serving(older_home.with_name("read")):
        assert tables(older_home.with_name("read")) == ["django_migrations", "mugs"]


def test_a_second_older_home_on_one_day_gets_a_name_of_its_own(older_home: Path) -> None:
    with serving(older_home, postgres=False):
        pass
    (first,) = put_aside(older_home)
    (older_home / "postgres").mkdir()
    (older_home / "postgres" / "PG_VERSION").write_text("18\n")
    (older_home / "layout").unlink()
    with serving(older_home, postgres=False):
        pass
    assert len(put_aside(older_home)) == 2
    assert (first / "postgres" / "PG_VERSION").exists()


def test_servers_that_an_older_release_left_running_are_stopped_first(older_home: Path) -> None:
    embedded.start(older_home)
    pid = int((older_home / "postgres" / "postmaster.pid").read_text().split()[0])
    (older_home / "layout").unlink(missing_ok=True)
    with serving(older_home, redis=False):
        assert tables(older_home) == []
        until(lambda: not runs(pid), "the older server has ended")


@pytest.mark.parametrize("lock", ["users", "stack.lock"])
def test_an_older_home_in_use_is_left_alone(older_home: Path, lock: str) -> None:
    with (older_home / lock).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(EmbeddedError, match="earlier release is still in use") as caught:
            with serving(older_home):
                pass
    assert "\n" not in str(caught.value)
    assert put_aside(older_home) == []


def test_a_home_of_a_newer_release_is_named_and_left_alone(home: Path) -> None:
    (home / "layout").write_text("99\n")
    with pytest.raises(EmbeddedError, match="layout 99"), serving(home):
        pass
    assert put_aside(home) == []


def test_manage_py_puts_an_older_home_aside_and_says_so_in_one_line(older_home: Path) -> None:
    done = command(
        *("manage.py", "shell", "--no-imports", "-v", "0", "-c"),
        "from django.db import connection as c; print(c.introspection.table_names())",
        STOREFRONT_HOME=str(older_home),
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert done.stderr.count("\n") == 1
    assert "earlier release" in done.stderr


def test_a_command_on_a_database_without_tables_ends_in_one_line(tmp_path: Path) -> None:
    done = command("manage.py", "audit", STOREFRONT_HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "has no tables of this release" in done.stderr


@pytest.mark.parametrize(
    "argv", [["manage.py", "migrate"], ["manage.py", "audit"], ["-m", "tools.stack.bootstrap"]]
)
def test_an_older_database_elsewhere_is_refused_in_one_line_and_unchanged(
    argv: list[str], older_database: str, tmp_path: Path
) -> None:
    done = command(*argv, DATABASE_URL=older_database, STOREFRONT_HOME=str(tmp_path))
    told = done.stderr + done.stdout
    assert done.returncode != 0
    assert told.count("\n") == 1, told
    assert "DATABASE_URL: this database was made by an earlier release of the shop" in told
    with embedded.connect(settings.STOREFRONT_HOME, "older") as connection:
        assert connection.execute("SELECT count(*) FROM django_migrations").fetchone() == (2,)


def test_make_run_with_an_older_database_ends_with_exit_code_1(
    older_database: str, tmp_path: Path
) -> None:
    ports = Ports.free()
    done = command(
        *("-m", "tools.stack"),
        DATABASE_URL=older_database,
        STOREFRONT_HOME=str(tmp_path),
        PORT=str(ports.edge),
        LIVE_PORT=str(ports.live),
        SANDBOX_PORT=str(ports.sandbox),
    )
    assert done.returncode == 1
    assert "storefront: DATABASE_URL: this database was made by an earlier release" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_history_of_this_release_and_no_history_are_no_older_ones(home: Path) -> None:
    with serving(home, redis=False), embedded.connect(home) as connection:
        with connection.cursor() as cursor:
            assert not has_older_history(cursor)
            cursor.execute(OLD_HISTORY.replace("desk", "backoffice"))
            assert not has_older_history(cursor)
            cursor.execute("INSERT INTO django_migrations (app, name) VALUES ('sales', '0001')")
            assert has_older_history(cursor)
