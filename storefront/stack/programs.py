"""The table of processes: what runs, with which server, on which port, and who waits for whom."""

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

# Between preparation.py and whoever runs it.
PREPARATION_REFUSED = 3  # exit code: the last line says all there is to say
DEMO_LOGINS = "demo-logins.txt"  # in the home


@dataclass(frozen=True, kw_only=True)
class Ports:
    """TCP ports of one stack."""

    web: int = 8000
    live: int = 8001
    sandbox: int = 8002

    @classmethod
    def free(cls) -> "Ports":
        """Three ports that nobody uses at the moment."""
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            web, live, sandbox = (each.getsockname()[1] for each in sockets)
        return cls(web=web, live=live, sandbox=sandbox)


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process of the shop.

    `leaves` is its turn when all are stopped: who feeds others leaves first, who is needed by
    others last. `patience` is how long it may finish its work before it is killed; being killed
    is safe for every one of them, only slower for the shopper. `nice` is how far it stands back
    for others (0 to 19).
    """

    name: str
    argv: tuple[str, ...]
    leaves: int
    port_name: str = ""
    port: int | None = None
    patience: timedelta = timedelta(seconds=20)
    nice: int = 0


def granian(interface: str, application: str, port: int, *options: str) -> tuple[str, ...]:
    server = (sys.executable, "-m", "granian", "--interface", interface, "--port", str(port))
    # One crashed worker is replaced by its parent; the parent's own death is the keeper's matter.
    respawn = ("--respawn-failed-workers", "--respawn-interval", "1")
    return (*server, *respawn, "--no-access-log", "--log-level", "error", *options, application)


def celery(*arguments: str) -> tuple[str, ...]:
    command = (sys.executable, "-m", "celery", "--quiet", "--app", "storefront", "--workdir", ".")
    return (*command, *arguments, "--loglevel", "warning")


def celery_worker(name: str, *queues: str, processes: int) -> tuple[str, ...]:
    """A worker that hears `queues` in turn, so that none waits for the end of another."""
    # Gossip, mingle and heartbeat tell workers about each other; nobody here asks.
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    load = ("--concurrency", str(processes), "--hostname", f"{name}@%h")
    return celery("worker", "--queues", ",".join(queues), *load, *alone)


def programs(*, ports: Ports, home: Path, sandbox: bool) -> list[Program]:
    """All processes of a shop, in the order of their start (docs/operations.md has them by task).

    The web's threads mostly wait: a hundred checkouts share a few commits, so that many must be
    able to sit in them without starving the pages. And one process more than the two cores that it
    was measured on: behind each commit fewer threads of one process ask for Python's lock.
    """
    web = granian(
        "wsgi",
        "storefront.wsgi:application",
        ports.web,
        *("--workers", os.environ.get("WEB_WORKERS") or "3", "--blocking-threads", "48"),
        *("--backlog", "2048", "--workers-kill-timeout", "15"),
    )
    live = granian(
        "asgi",
        "storefront.asgi:application",
        ports.live,
        *("--workers", "1", "--backlog", "4096", "--workers-kill-timeout", "5"),
    )
    stand_in = granian(
        "asgi",
        "apps.payments.sandbox.app:app",
        ports.sandbox,
        # It holds its cards and intents in memory: one process. And only this machine may pay.
        *("--host", "127.0.0.1", "--workers", "1", "--workers-kill-timeout", "5"),
    )
    schedule = str(home / "celerybeat-schedule")
    table = [
        Program(
            name="sandbox", argv=stand_in, leaves=3, port_name="SANDBOX_PORT", port=ports.sandbox
        ),
        Program(name="web", argv=web, leaves=1, port_name="PORT", port=ports.web),
        Program(name="live", argv=live, leaves=1, port_name="LIVE_PORT", port=ports.live),
        Program(
            name="worker",
            # Twice the cores: at any time half of them wait for the gateway. And behind the web in
            # a burst: a shopper waits for the acceptance, nobody for the second that follows.
            argv=celery_worker("checkout", "checkout", processes=4),
            leaves=2,
            nice=5,
        ),
        Program(
            name="worker-background",
            # Polite: mirroring a backlog of events may take all the time that is left over, and
            # none that a checkout wants.
            argv=celery_worker("background", "background", "mirror", "reconcile", processes=1),
            leaves=2,
            nice=10,
        ),
        Program(name="beat", argv=celery("beat", "--schedule", schedule), leaves=1),
    ]
    return table if sandbox else table[1:]
