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
REDIS_SOCKET = "redis.sock"

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
    if len(os.fsencode(folder / POSTGRES_SOCKET)) <= SOCKET_PATH_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    # Nobody else's: who made it is looked at before it is used (processes.socket_folder_for).
    return Path("/tmp") / f"storefront-{os.geteuid()}-{digest}"


def database_url(home: Path | str, name: str = DATABASE) -> str:
    """A libpq URL; the socket's folder stands in `host`, as libpq and psycopg want it."""
    return f"postgresql://{ROLE}@/{name}?host={quote(str(socket_folder(home)), safe='/')}"


def redis_url(home: Path | str) -> str:
    """A redis-py URL without a database number; `?db=N` may be appended."""
    return f"unix://{socket_folder(home) / REDIS_SOCKET}"
