"""Where the files and sockets of a home lie. Computes only; touches and starts nothing."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parent.parent.parent
ROLE = DATABASE = "storefront"
# A unix socket's address holds 108 bytes, the last of them NUL (unix(7)).
SOCKET_PATH_MAX = 107
POSTGRES_SOCKET = ".s.PGSQL.5432"
# The Redis servers of a home, each with a folder, a log and a memory limit of its own
# (redis_server.py lists what each holds). The first is the one that `redis_url(home)` means.
REDIS, REDIS_CARTS, REDIS_CACHE, REDIS_LIMITS = REDIS_NAMES = (
    "redis",
    "redis-carts",
    "redis-cache",
    "redis-limits",
)
REDIS_SOCKET = f"{REDIS}.sock"

Say = Callable[[str], None]


class EmbeddedError(RuntimeError):
    """An embedded server cannot be had; the text says why and what to do, in one line."""


def default_home() -> Path:
    """$STOREFRONT_HOME, else `.storefront` beside the code."""
    return Path(os.environ.get("STOREFRONT_HOME") or PROJECT / ".storefront").resolve()


def socket_folder(home: Path | str) -> Path:
    """Where the sockets of `home` lie: `home`/run, or a short stand-in when that path is too long.

    The stand-in is the same for every process of the same user and home, whatever its TMPDIR.
    """
    home = Path(home).resolve()
    folder = home / "run"
    sockets = (POSTGRES_SOCKET, *(f"{name}.sock" for name in REDIS_NAMES))
    if all(len(os.fsencode(folder / socket)) <= SOCKET_PATH_MAX for socket in sockets):
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    # Its owner is checked before it is used (account.socket_folder_for).
    return Path("/tmp") / f"storefront-{os.geteuid()}-{digest}"


def database_url(home: Path | str, name: str = DATABASE) -> str:
    """A libpq URL; the socket's folder stands in `host`, as libpq and psycopg want it."""
    return f"postgresql://{ROLE}@/{name}?host={quote(str(socket_folder(home)), safe='/')}"


def redis_socket(home: Path | str, name: str = REDIS) -> Path:
    """The socket of the Redis server `name`, one of REDIS_NAMES."""
    return socket_folder(home) / f"{name}.sock"


def redis_url(home: Path | str, name: str = REDIS) -> str:
    """A redis-py URL of server `name` without a database number; `?db=N` may be appended."""
    return f"unix://{redis_socket(home, name)}"
