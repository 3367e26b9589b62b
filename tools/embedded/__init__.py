"""The shop's own PostgreSQL and Redis, for machines that have neither.

Both are real servers out of Python wheels. They listen on unix sockets only, never on TCP, and
everything they own lies under one folder, the *home* (`STOREFRONT_HOME`, default `.storefront`):

    postgres/        data of PostgreSQL   run/    sockets (see `socket_folder` for long paths)
    redis/ redis-…/  last snapshots       logs/   output of the servers
    layout           which release made the home (older_release.py)

Importing this package starts nothing; `database_url` and `redis_url` only compute addresses.

    with serving(home): ...      for the length of a block; the last process out stops the servers
    start(home) / stop(home)     until further notice; also `python -m tools.embedded start`

Starting is safe to repeat and to interrupt. What an earlier run may have left (a pid file of a
dead server, a live server of this home, a data folder that initdb did not finish, a home of an
earlier release) is handled; what cannot be handled raises `EmbeddedError`, whose text is one line
for the person at the terminal.
"""

from tools.embedded.databases import connect, drop_database, ensure_database
from tools.embedded.home import prepare_home
from tools.embedded.lifecycle import keep_up, serving, start, stop
from tools.embedded.paths import (
    DATABASE,
    POSTGRES_SOCKET,
    PROJECT,
    REDIS,
    REDIS_CACHE,
    REDIS_CARTS,
    REDIS_LIMITS,
    REDIS_NAMES,
    REDIS_SOCKET,
    EmbeddedError,
    database_url,
    default_home,
    redis_socket,
    redis_url,
    socket_folder,
)
from tools.embedded.postgres_state import postgres_answers, postgres_runs

__all__ = [
    "DATABASE",
    "POSTGRES_SOCKET",
    "PROJECT",
    "REDIS",
    "REDIS_CACHE",
    "REDIS_CARTS",
    "REDIS_LIMITS",
    "REDIS_NAMES",
    "REDIS_SOCKET",
    "EmbeddedError",
    "connect",
    "database_url",
    "default_home",
    "drop_database",
    "ensure_database",
    "keep_up",
    "postgres_answers",
    "postgres_runs",
    "prepare_home",
    "redis_socket",
    "redis_url",
    "serving",
    "socket_folder",
    "start",
    "stop",
]
