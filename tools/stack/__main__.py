"""`make run` and `make stop`: the stack of this environment, with a person at the terminal."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tools import embedded
from tools.stack.errors import StackError
from tools.stack.home_lock import running_pid
from tools.stack.leftovers import end_leftovers
from tools.stack.ports import Ports
from tools.stack.process_table import DEMO_LOGINS
from tools.stack.supervisor import Stack
from tools.stack.terminal import Terminal


class Interrupted(Exception):
    """A person or the system asked the shop to stop."""


def run() -> int:
    """Start the shop, print its addresses, and keep it running until a signal comes."""
    os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
    # The first access to the settings: a malformed variable ends the program here, before anything
    # is started.
    ports = Ports(edge=settings.PORT, live=settings.LIVE_PORT, sandbox=settings.SANDBOX_PORT)
    terminal = Terminal(width=len("worker-background"))
    stack = Stack(home=settings.STOREFRONT_HOME, ports=ports, on_line=terminal.show)
    asked_to_stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked_to_stop.is_set():
            return  # it is stopping; every process has a time limit for that
        asked_to_stop.set()
        terminal.say(f"{signal.Signals(number).name}: stopping")
        raise Interrupted

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup make run
        signal.signal(signal.SIGHUP, on_signal)
    try:
        stack.start()
        stack.wait_ready()
        for line in _welcome(stack):
            terminal.say(line)
        while True:
            signal.pause()
    except Interrupted:
        return 0
    finally:
        # From here on another Ctrl-C must not leave PostgreSQL half stopped.
        asked_to_stop.set()
        stack.stop()
        terminal.say("stopped")
        if not terminal.close():
            # A paused terminal takes nothing more, and Python would wait for it at its exit.
            os._exit(0)


def _welcome(stack: Stack) -> list[str]:
    lines = [
        "",
        f"The shop is open:  {stack.url}/",
        f"  admin            {stack.url}/admin/",
        f"  API              {stack.url}/api/docs/",
        f"  live status      ws://127.0.0.1:{stack.ports.edge}/ws/orders/…",
    ]
    if "sandbox" in stack.names:
        lines.append(f"  sandbox gateway  {stack.sandbox_url}")
    lines.append(f"  logs             {stack.home / 'logs'}")
    logins = (stack.home / DEMO_LOGINS).read_text().splitlines()
    if logins:
        lines += ["Demo logins:", *(f"  {login}" for login in logins)]
    return [*lines, "Ctrl-C stops it.", ""]


def stop() -> int:
    """End the stack of this home, wherever it runs, and its PostgreSQL and Redis."""
    home = embedded.default_home()
    pid = running_pid(home)
    if pid is not None:
        print(f"stopping the shop (pid {pid})", flush=True)
        os.kill(pid, signal.SIGTERM)
        _wait_for(pid)
    elif home.is_dir():
        end_leftovers(home)
    embedded.stop(home, say=lambda text: print(text, flush=True))
    return 0


def _wait_for(pid: int) -> None:
    deadline = time.monotonic() + 90
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            raise StackError(f"the shop (pid {pid}) does not stop")
        time.sleep(0.1)


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case []:
                return run()
            case ["stop"]:
                return stop()
            case _:
                raise StackError("usage: python -m tools.stack [stop]")
    except (StackError, embedded.EmbeddedError, ImproperlyConfigured) as error:
        print(f"storefront: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
