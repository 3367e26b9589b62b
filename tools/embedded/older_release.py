"""What an earlier release of the shop left: a home is put aside, a database is refused.

Layout 2 began with new app labels and one new initial migration for each app. The tables and the
migration history of before do not fit, and nothing converts them. A home therefore carries its
layout in the file `layout`, written before it has a database: a home with a database and without
the file is older. Every start reads this one small file and asks no database.
"""

import fcntl
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from tools.embedded.paths import EmbeddedError, Say

LAYOUT = 2
STAMP = "layout"
# Labels of apps that have other names since layout 2. Both had migrations in every release before.
OLDER_LABELS = ("desk", "sales")
OLDER_DATABASE = (
    "DATABASE_URL: this database was made by an earlier release of the shop and cannot be used: "
    "name an empty one there (the older one is not changed)"
)


def is_stamped(home: Path) -> bool:
    """Whether `home` has the layout of this release; False where it says nothing.

    Raises EmbeddedError for another layout than this one.
    """
    try:
        layout = (home / STAMP).read_text().strip()
    except FileNotFoundError:
        return False
    if layout != str(LAYOUT):
        raise EmbeddedError(
            f"{home} was made by another release of the shop (layout {layout}, this is {LAYOUT}): "
            "move it away or choose another STOREFRONT_HOME"
        )
    return True


def is_older(home: Path) -> bool:
    """Whether `home` has a database from before homes carried their layout."""
    return not is_stamped(home) and (home / "postgres" / "PG_VERSION").exists()


def stamp(home: Path) -> None:
    """Note in `home` that it has the layout of this release."""
    (home / STAMP).write_text(f"{LAYOUT}\n")


def require_unused(home: Path) -> None:
    """Raise EmbeddedError when a process serves `home` (`users`) or runs a stack in it."""
    for name in ("users", "stack.lock"):
        with (home / name).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EmbeddedError(
                    f"{home} of an earlier release is still in use: stop that shop first "
                    "(`make stop`)"
                ) from None


def put_aside(home: Path, *, say: Say) -> None:
    """Rename `home`, whose servers are stopped, to `<home>-before-<date>`. Nothing is deleted.

    Raises EmbeddedError when it cannot be renamed (a mount point, for example).
    """
    aside = _free_name(home)
    try:
        home.rename(aside)
    except OSError as error:
        raise EmbeddedError(
            f"{home} was made by an earlier release of the shop and cannot be renamed "
            f"({error.strerror}): move it away or choose another STOREFRONT_HOME"
        ) from error
    say(
        f"{home} was made by an earlier release of the shop: "
        f"it is kept as {aside.name}, and a new one is made"
    )


def _free_name(home: Path) -> Path:
    name = f"{home.name}-before-{datetime.now(UTC).date()}"
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(path for path in map(home.with_name, names) if not path.exists())


def has_older_history(cursor: Any) -> bool:
    """Whether the database behind a DB-API `cursor` has migrations of an earlier release."""
    cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return False
    cursor.execute(
        "SELECT EXISTS (SELECT FROM django_migrations WHERE app = ANY(%s))", [list(OLDER_LABELS)]
    )
    return bool(cursor.fetchone()[0])
