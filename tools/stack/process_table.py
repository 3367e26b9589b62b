"""The table of processes: what runs, with which server, on which port, and in which order."""

import sys
from pathlib import Path

from tools.embedded import socket_folder
from tools.stack.commands import celery, celery_worker, granian
from tools.stack.liveness import Heartbeat, Http
from tools.stack.ports import Ports
from tools.stack.program import Program

# Between bootstrap.py and the supervisor, which runs it.
BOOTSTRAP_REFUSED = 3  # exit code: the last line of output is the whole reason
DEMO_LOGINS = "demo-logins.txt"  # in the home


def web_sockets(home: Path, count: int) -> list[Path]:
    """Where the web processes of `home` listen; the edge passes requests on to these."""
    folder = socket_folder(home)
    return [folder / f"web-{number}.sock" for number in range(1, count + 1)]


def edge_socket(home: Path) -> Path:
    """Where the edge of `home` answers whether it is alive."""
    return socket_folder(home) / "edge.sock"


def programs(*, ports: Ports, home: Path, sandbox: bool, web_workers: int = 3) -> list[Program]:
    """All processes of a shop, in the order of their start (docs/operations.md lists them by task).

    The web's threads mostly wait: a hundred checkouts share a few commits, so that many must be
    able to wait in them without taking the threads of the pages. Each web process is a program with
    a socket of its own: the edge spreads requests evenly, leaves out a process that is away, and
    the watchdog can ask each whether it still answers.
    """
    web = [
        Program(
            name=f"web-{number}",
            group="web",
            socket=address,
            liveness=Http(socket=address),
            argv=granian(
                "wsgi",
                "storefront.wsgi:application",
                address,
                *("--workers", "1", "--blocking-threads", "48"),
                *("--backlog", "2048", "--workers-kill-timeout", "15"),
            ),
            stop_order=1,
        )
        for number, address in enumerate(web_sockets(home, web_workers), start=1)
    ]
    live = granian(
        "asgi",
        "storefront.asgi:application",
        ports.live,
        *("--workers", "1", "--backlog", "4096", "--workers-kill-timeout", "5"),
    )
    sandbox_server = granian(
        "asgi",
        "tools.stripe_sandbox.app:app",
        ports.sandbox,
        # It holds its cards and intents in memory: one process.
        *("--workers", "1", "--workers-kill-timeout", "5"),
    )
    schedule = str(home / "celerybeat-schedule")
    table = [
        Program(
            name="sandbox",
            argv=sandbox_server,
            stop_order=3,
            port_name="SANDBOX_PORT",
            port=ports.sandbox,
            liveness=Http(path="/_sandbox/health", port=ports.sandbox),
        ),
        *web,
        Program(
            name="live",
            argv=live,
            stop_order=1,
            port_name="LIVE_PORT",
            port=ports.live,
            liveness=Http(port=ports.live),
        ),
        Program(
            name="edge",
            argv=(sys.executable, "-m", "tools.edge"),
            # Before those behind it: a new client then finds a closed port, not an error.
            stop_order=0,
            port_name="PORT",
            port=ports.edge,
            # At a socket of its own: the shop's port may speak TLS, and the processes behind
            # the edge are asked by themselves.
            liveness=Http(socket=edge_socket(home)),
        ),
        Program(
            name="worker",
            # Twice the cores: at any time half of them wait for the gateway. In a burst the web
            # goes first: a shopper waits for the acceptance, not for the steps after it.
            argv=celery_worker("checkout", "checkout", processes=4),
            stop_order=2,
            nice=5,
            liveness=Heartbeat(),
        ),
        Program(
            name="worker-background",
            # Mirroring a backlog of events may take all processor time that is left over, and
            # none that a checkout needs.
            argv=celery_worker("background", "background", "mirror", "reconcile", processes=1),
            stop_order=2,
            nice=10,
            liveness=Heartbeat(),
        ),
        Program(
            name="beat",
            argv=celery("beat", "--schedule", schedule),
            stop_order=1,
            liveness=Heartbeat(),
        ),
    ]
    return table if sandbox else table[1:]
