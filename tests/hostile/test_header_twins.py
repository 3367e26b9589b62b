"""`X_Forwarded_For` beside `X-Forwarded-For`: only what the edge itself wrote is trusted.

Asked with raw sockets: a client library would not send some of these.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.core.duplicate_headers import DropDuplicateHeaders
from tools.embedded import PROJECT

BELIEVED = (
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Cart-Token",
    "X-Order-Token",
    "X-Waiting-Ticket",
    "Idempotency-Key",
    "X-CSRFToken",
    "Stripe-Signature",
)


def twins_of(name: str) -> set[str]:
    """Every other spelling that a WSGI environment folds into the same key."""
    return {name.replace("-", "_"), name.replace("-", "_", 1), name.lower().replace("-", "_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(port: int, *argv: str, log: Path) -> Iterator[int]:
    with log.open("wb") as file:
        process = subprocess.Popen(argv, cwd=PROJECT, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Granian as it serves the shop, with an application that returns the headers it was given."""
    port = free_port()
    argv = (sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port))
    log = tmp_path_factory.mktemp("twins") / "granian.log"
    with serving(port, *argv, "--no-access-log", "tests.hostile.echo:application", log=log):
        yield port


@pytest.fixture(scope="module")
def edge(web: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Caddy in front of it, with nothing set."""
    caddy = shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed (requirements.txt)")
    port = free_port()
    folder = tmp_path_factory.mktemp("edge")
    (folder / "Caddyfile").write_text(
        f"{{\n admin off\n auto_https off\n storage file_system {folder}\n}}\n"
        f"http://127.0.0.1:{port} {{\n reverse_proxy 127.0.0.1:{web}\n}}\n"
    )
    argv = (caddy, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile"))
    with serving(port, *argv, log=folder / "caddy.log"):
        yield port


def received(port: int, *lines: str) -> dict[str, str]:
    """The headers that the application got of a request with these header lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = ["GET / HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", *lines]
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head_of_answer.splitlines()[0], answer
    found: dict[str, str] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return found


def key_of(name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}"


@pytest.mark.parametrize("name", BELIEVED)
def test_without_an_edge_the_twin_wins(web: int, name: str) -> None:
    """Why the shop's web process must not be reached past the edge."""
    for twin in twins_of(name):
        assert received(web, f"{name}: right", f"{twin}: wrong")[key_of(name)] == "wrong"


@pytest.mark.parametrize("name", BELIEVED)
def test_edge_passes_no_twin_on(edge: int, name: str) -> None:
    for twin in twins_of(name):
        for lines in ([f"{twin}: wrong"], [f"{name}: right", f"{twin}: wrong"]):
            received_headers = received(edge, *lines)
            assert "wrong" not in received_headers.values(), (lines, received_headers)


def test_edge_writes_address_and_scheme_itself(edge: int) -> None:
    received_headers = received(
        edge,
        *("X-Forwarded-For: 203.0.113.5", "X_Forwarded_For: 203.0.113.6"),
        *("X-Forwarded-Proto: https", "X_Forwarded_Proto: https"),
        *("X-Forwarded-Host: evil.example", "X_Forwarded_Host: evil.example"),
    )

    assert received_headers["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert received_headers["HTTP_X_FORWARDED_PROTO"] == "http"
    assert "evil.example" not in str(received_headers)


def test_headers_of_the_right_spelling_arrive(edge: int) -> None:
    received_headers = received(
        edge, "X-Cart-Token: mine", "Idempotency-Key: k-1", "Authorization: Bearer x"
    )

    assert received_headers["HTTP_X_CART_TOKEN"] == "mine"
    assert received_headers["HTTP_IDEMPOTENCY_KEY"] == "k-1"
    assert received_headers["HTTP_AUTHORIZATION"] == "Bearer x"


def test_websockets_drop_twins_themselves() -> None:
    seen: list[Any] = []

    async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["headers"])

    right = [(b"x-forwarded-for", b"203.0.113.5"), (b"cookie", b"sessionid=a_b")]
    scope = {"type": "websocket", "headers": [*right, (b"x_forwarded_for", b"203.0.113.6")]}
    asyncio.run(DropDuplicateHeaders(inner)(scope, None, None))
    asyncio.run(DropDuplicateHeaders(inner)({"type": "websocket", "headers": right}, None, None))

    assert seen == [right, right]


def test_websocket_process_drops_twins_too() -> None:
    from storefront import asgi

    assert isinstance(asgi.application, DropDuplicateHeaders)
