"""How the watchdog asks a process whether it is alive, and how long it may be silent.

A busy process is not dead. A healthy thread may wait 30 s for a statement (`statement_timeout`),
8 s for a lock, 10 s for the intake and 8 s for the gateway; a database that is away for 30 s blocks
all threads of a web process for those 30 s, and a restart would not help. So:

`silent` 45 s     after which a process that runs and does not answer is restarted. A request is
                  not given up earlier: an answer after 40 s proves life as one after 4 ms does.
`starting` 120 s  for the first answer; a cold start on a busy machine takes up to 30 s.
`stopped` 10 s    for a process in the state T (SIGSTOP), which a busy process never is; a person
                  who stops one to look at it has ten seconds.
`database` 20 s   for PostgreSQL, which answers this request from a fresh process without any lock.
                  Recovering after a crash is an answer. (Redis: 15 s, tools/embedded.)

What each sign proves. HTTP: that the process accepts a connection, has a thread (web) or a running
event loop (live, sandbox) for it, and answers. The heartbeat of a Celery worker: that the event
loop of its main process runs, which receives messages and replaces children; that of beat: that
its schedule is checked. Both go on while the process waits for the broker, because a restart does
not bring the broker back (apps/core/heartbeat.py). A child of a worker's pool that is stuck in a
task is ended by the task's time limit (CELERY_TASK_TIME_LIMIT), a stopped one by `stopped`.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds before a silent process is restarted (see above)."""

    silent: float = 45.0
    starting: float = 120.0
    stopped: float = 10.0
    database: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Http:
    """GET `path` at a local TCP port, or at a unix socket. Any HTTP answer proves life."""

    path: str = "/healthz"
    port: int | None = None
    socket: Path | None = None


@dataclass(frozen=True)
class Heartbeat:
    """A file that the process touches every other second; HEARTBEAT_FILE has its path."""


Liveness = Http | Heartbeat
