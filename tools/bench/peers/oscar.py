"""django-oscar as a measured shop, and shoppers who buy from it by its pages, without JavaScript.

with running(home) as peer:
    load = buy(peer, shoppers=16, seconds=10)
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import requests

from tools import embedded
from tools.stack import Ports

FILES = Path(__file__).with_name("oscar_shop")
MODULE = "tools.bench.peers.oscar_shop"
VENV = embedded.PROJECT / ".peers" / "oscar"
DATABASE = "peer_oscar"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
ADDRESS = {
    "first_name": "Ann",
    "last_name": "Miller",
    "line1": "12 Pine Street",
    "line4": "Portland",
    "state": "Oregon",
    "postcode": "97201",
    "country": "US",
}
STARTS_WITHIN_S = 120.0


class PeerUnavailable(Exception):
    """It cannot be installed or does not start; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer: its address, and its products as (id, path of the page)."""

    url: str
    products: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Bought:
    """What shoppers got within `seconds`: the length of each whole purchase, in seconds."""

    seconds: float
    purchases: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.purchases) / self.seconds


def install() -> None:
    """Its virtual environment, once. Raises PeerUnavailable."""
    wanted = FILES / "requirements.txt"
    stamp = VENV / ".installed"
    if stamp.exists() and stamp.stat().st_mtime > wanted.stat().st_mtime:
        return
    for command in (
        [sys.executable, "-m", "venv", VENV],
        [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", wanted],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerUnavailable(f"django-oscar cannot be installed: {done.stderr[-300:]}")
    stamp.touch()


@contextlib.contextmanager
def running(home: Path, *, workers: int) -> Iterator[Peer]:
    """The peer with so many web processes, and a new database on the PostgreSQL of `home`."""
    install()
    embedded.drop_database(home, DATABASE)
    embedded.ensure_database(home, DATABASE)
    environment = _environment(home)
    stocked = subprocess.run(
        [VENV / "bin" / "python", "-m", "django", "stock_peer"],
        cwd=embedded.PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if stocked.returncode:
        raise PeerUnavailable(f"django-oscar has no goods: {stocked.stderr[-500:]}")
    products = tuple(
        (number, path) for number, path in map(str.split, stocked.stdout.strip().splitlines())
    )
    port = Ports.free().edge
    process = subprocess.Popen(
        [
            *(VENV / "bin" / "python", "-m", "granian", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
            *("--blocking-threads", "8", "--backlog", "2048", "--log-level", "error"),
            f"{MODULE}.wsgi:application",
        ],
        cwd=embedded.PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    peer = Peer(f"http://127.0.0.1:{port}", products)
    try:
        _wait_until_it_answers(peer)
        yield peer
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(30)


def buy(peer: Peer, *, shoppers: int, seconds: float) -> Bought:
    """So many shoppers, each of whom begins anew when the order is placed."""
    bought = Bought(seconds)
    ends = time.monotonic() + seconds

    def shop(number: int) -> None:
        turn = number
        while (began := time.monotonic()) < ends:
            try:
                purchase(peer, *peer.products[turn % len(peer.products)])
            except (requests.RequestException, PeerUnavailable) as trouble:
                bought.failures.append(str(trouble))
            else:
                if time.monotonic() <= ends:
                    bought.purchases.append(time.monotonic() - began)
            turn += shoppers

    threads = [threading.Thread(target=shop, args=(number,)) for number in range(shoppers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bought


def purchase(peer: Peer, product: str, page: str) -> None:
    """Product, add, cart, e-mail, address, ways to ship and pay, overview, place, thanks."""
    with requests.Session() as browser:
        shown = _ok(browser.get(peer.url + page))
        shown = _post(browser, peer, f"/basket/add/{product}/", shown, quantity="1")
        shown = _ok(browser.get(f"{peer.url}/checkout/"))
        shown = _post(
            browser, peer, "/checkout/", shown, username="ann@example.com", options="anonymous"
        )
        # Ends at the page of the payment's details, which has no form of its own.
        _post(browser, peer, "/checkout/shipping-address/", shown, **ADDRESS)
        shown = _ok(browser.get(f"{peer.url}/checkout/preview/"))
        shown = _post(browser, peer, "/checkout/preview/", shown, action="place_order")
        if "/thank-you/" not in shown.url:
            raise PeerUnavailable(f"no order: the purchase ended at {shown.url}")


def _post(
    browser: requests.Session, peer: Peer, path: str, shown: requests.Response, **form: str
) -> requests.Response:
    token = TOKEN.search(shown.text)
    if token is None:
        raise PeerUnavailable(f"{shown.url} has no form")
    sent = form | {"csrfmiddlewaretoken": token[1]}
    return _ok(browser.post(urljoin(peer.url, path), sent, headers={"Referer": shown.url}))


def _ok(answer: requests.Response) -> requests.Response:
    if answer.status_code != 200:
        raise PeerUnavailable(f"{answer.url} answers {answer.status_code}")
    return answer


def _environment(home: Path) -> dict[str, str]:
    with embedded.connect(home, DATABASE) as connection:
        asked = connection.info
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(embedded.PROJECT),
            "DJANGO_SETTINGS_MODULE": f"{MODULE}.settings",
            "PEER_HOST": asked.host,
            "PEER_PORT": str(asked.port),
            "PEER_USER": asked.user,
            "PEER_NAME": DATABASE,
        }


def _wait_until_it_answers(peer: Peer) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        with contextlib.suppress(requests.RequestException):
            if requests.get(peer.url + peer.products[0][1], timeout=5).ok:
                return
        if time.monotonic() > deadline:
            raise PeerUnavailable("django-oscar does not start")
        time.sleep(0.2)
