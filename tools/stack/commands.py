"""The command lines of the servers and workers."""

import sys
from pathlib import Path


def granian(
    interface: str, application: str, address: int | Path, *options: str
) -> tuple[str, ...]:
    """A server at a port of the loopback interface, or at a unix socket that its owner may use.

    Only the edge connects to it: Granian waits for the end of a request's body without a limit.
    """
    where = (
        ("--host", "127.0.0.1", "--port", str(address))
        if isinstance(address, int)
        else ("--uds", str(address), "--uds-permissions", "0o600")
    )
    server = (sys.executable, "-m", "granian", "--interface", interface, *where)
    # A crashed worker is replaced by its parent; the supervisor restarts the parent.
    respawn = ("--respawn-failed-workers", "--respawn-interval", "1")
    return (*server, *respawn, "--no-access-log", "--log-level", "error", *options, application)


def celery(*arguments: str) -> tuple[str, ...]:
    command = (sys.executable, "-m", "celery", "--quiet", "--app", "storefront", "--workdir", ".")
    return (*command, *arguments, "--loglevel", "warning")


def celery_worker(name: str, *queues: str, processes: int) -> tuple[str, ...]:
    """A worker that takes from `queues` in turn, so that none waits for the end of another."""
    # Gossip, mingle and heartbeat inform workers of each other, which nothing here needs.
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    load = ("--concurrency", str(processes), "--hostname", f"{name}@%h")
    return celery("worker", "--queues", ",".join(queues), *load, *alone)
