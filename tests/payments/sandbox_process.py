"""The sandbox as tests use it: a process of its own, and a listener for its webhooks."""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import stripe
import urllib3

PROJECT = Path(__file__).resolve().parents[2]
KEY = "sk_test_" + "t" * 32
_http = urllib3.PoolManager(retries=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class SandboxProcess:
    """`granian … tools.stripe_sandbox.app:app` on a free port, with a home of its own."""

    def __init__(self, *, latency_ms: int = 0, webhook_retry_ms: int = 50) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **os.environ,
            "STOREFRONT_HOME": str(self.home),
            "SANDBOX_LATENCY_MS": str(latency_ms),
            "SANDBOX_WEBHOOK_RETRY_MS": str(webhook_retry_ms),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", "asgi"),
                *("--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"),
                "tools.stripe_sandbox.app:app",
            ],
            cwd=PROJECT,
            env=self._env,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the sandbox ended with {self._process.returncode}")
            try:
                if _http.request("GET", f"{self.url}/_sandbox/health", timeout=1).status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
        raise RuntimeError("the sandbox did not answer within 60 s")

    def stop(self, *, kill: bool = False) -> None:
        if self._process is None:
            return
        if kill:
            os.killpg(self._process.pid, 9)
        else:
            self._process.terminate()
        self._process.wait(timeout=60)
        self._process = None

    def remove(self) -> None:
        self.stop(kill=True)  # a polite stop waits for the connections that tests keep open
        shutil.rmtree(self.home, ignore_errors=True)

    def client(self, **options: Any) -> stripe.StripeClient:
        """The official library, as it comes."""
        return stripe.StripeClient(
            KEY, base_addresses={"api": self.url}, max_network_retries=0, **options
        )

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST with a body, on `/_sandbox/<path>`."""
        if body is None:
            answer = _http.request("GET", f"{self.url}/_sandbox/{path}")
        else:
            answer = _http.request("POST", f"{self.url}/_sandbox/{path}", json=body)
        assert answer.status == 200, answer.data
        return json.loads(answer.data)

    def raw(
        self, method: str, path: str, body: str = "", *, key: str = KEY, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """A request as bytes on the wire, for what the library would not send."""
        sent = {"Content-Type": "application/x-www-form-urlencoded"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if key:
            sent["Authorization"] = f"Bearer {key}"
        return _http.request(
            method, self.url + path, body=body or None, headers=sent, redirect=False
        )

    def faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        self.control("faults", {"rules": list(rules), "seed": seed, "latency_ms": 0})

    def intents(self) -> list[dict[str, Any]]:
        state: dict[str, Any] = self.control("state")
        intents: list[dict[str, Any]] = state["intents"]
        return intents


@dataclass(frozen=True)
class Received:
    """A webhook as it arrived."""

    body: bytes
    signature: str
    at: float

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def type(self) -> str:
        return str(self.event["type"])


@dataclass
class WebhookListener:
    """Takes webhooks on a port of its own; `answer` says with which status."""

    port: int = field(default_factory=free_port)
    answer: Callable[[Received], int] = lambda received: 200
    received: queue.Queue[Received] = field(default_factory=queue.Queue)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got = Received(body, self.headers["Stripe-Signature"], time.monotonic())
                status = listener.answer(got)
                listener.received.put(got)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # fifty copies of a webhook knock at the same time

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, count: int, *, within_s: float = 60.0) -> list[Received]:
        """The next webhooks; fails with those that came when not enough do."""
        taken: list[Received] = []
        deadline = time.monotonic() + within_s
        while len(taken) < count:
            try:
                taken.append(self.received.get(timeout=max(0.01, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(
                    f"{count} webhooks awaited, {[got.type for got in taken]} came"
                ) from None
        return taken

    def nothing_comes(self, *, within_s: float = 0.5) -> bool:
        try:
            self.received.get(timeout=within_s)
        except queue.Empty:
            return True
        return False
