"""`make run` and `make stop`: the stack of this environment, with a person at the terminal."""

import os
import signal
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from types import FrameType

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from storefront import embedded
from storefront.stack.programs import DEMO_LOGINS, Ports
from storefront.stack.running import Stack, StackError, running_pid

SHOP = "shop"


class Terminal:
    """Everybody's lines on one screen, a colour for each voice. Called from many threads."""

    def __init__(self, width: int) -> None:
        self._printer = Printer(sys.stdout, width=width)
        self._colours = get_colours()
        self._colour_of: dict[str, str | None] = {SHOP: None}
        self._lock = threading.Lock()

    def hear(self, name: str, line: str) -> None:
        if not line.strip() and name != SHOP:
            return
        with self._lock:
            if name not in self._colour_of:
                self._colour_of[name] = next(self._colours)
            now = datetime.now().astimezone()
            colour = self._colour_of[name]
            self._printer.write(
                Message(type="line", data=line or " ", time=now, name=name, colour=colour)
            )

    def say(self, text: str) -> None:
        self.hear(SHOP, text)


class Interrupted(Exception):
    """A person or the system asked the shop to stop."""


def run() -> int:
    """Start the shop, say where it is, and keep it until a signal comes."""
    os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
    from django.conf import settings

    # The first look at the settings: a malformed variable ends here, before anything is started.
    ports = Ports(web=settings.PORT, live=settings.LIVE_PORT, sandbox=settings.SANDBOX_PORT)
    terminal = Terminal(width=len("worker-background"))
    stack = Stack(home=settings.STOREFRONT_HOME, ports=ports, hear=terminal.hear)
    asked_to_stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked_to_stop.is_set():
            return  # it is on its way; every process has its limit of patience
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
        # From here on a further Ctrl-C must not leave PostgreSQL half stopped.
        asked_to_stop.set()
        stack.stop()
        terminal.say("stopped")


def _welcome(stack: Stack) -> list[str]:
    lines = [
        "",
        f"The shop is open:  {stack.url}/",
        f"  admin            {stack.url}/admin/",
        f"  API              {stack.url}/api/docs/",
        f"  live status      {stack.live_url}/ws/orders/…",
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
        from storefront.stack.running import end_leftovers

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
    from django.core.exceptions import ImproperlyConfigured

    try:
        match arguments:
            case []:
                return run()
            case ["stop"]:
                return stop()
            case _:
                raise StackError("usage: python -m storefront.stack [stop]")
    except (StackError, embedded.EmbeddedError, ImproperlyConfigured) as error:
        print(f"storefront: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
