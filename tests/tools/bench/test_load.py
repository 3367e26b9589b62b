"""What wrk's scripts send, to a server that writes it down."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools.bench import wrk

pytestmark = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is not installed (apt-get install wrk)"
)


@dataclass
class Counter:
    """A shop's counter where nothing is sold: `asked` has (path, headers, body)."""

    url: str = ""
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    def column(self, header: str) -> list[str]:
        return [headers[header] for _, headers, _ in self.asked]


@pytest.fixture
def counter() -> Iterator[Counter]:
    made = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append((self.path, dict(self.headers), body))
            self._answer(202)

        def do_GET(self) -> None:
            made.asked.append((self.path, dict(self.headers), None))
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_each_checkout_has_its_own_key_and_address_and_lines_that_differ(counter: Counter) -> None:
    load = wrk.run(
        "checkout", counter.url, connections=4, seconds=1,
        skus="MUG-..3", lines=2, promo="BENCH10", rate=100,
    )  # fmt: skip
    load.require(202, "checkout")
    assert {path for path, _, _ in counter.asked} == {"/api/v1/checkouts/"}
    keys, addresses = counter.column("Idempotency-Key"), counter.column("X-Forwarded-For")
    assert len(set(keys)) == len(keys) > 10
    assert len(set(addresses)) > len(addresses) * 0.9
    for _, headers, body in counter.asked:
        skus = [line["sku"] for line in body["lines"]]
        assert len(set(skus)) == 2
        assert set(skus) <= {"MUG-0001", "MUG-0002", "MUG-0003"}
        assert body["promo_code"] == "BENCH10"
        assert "Authorization" not in headers


def test_members_show_a_token_of_the_file(counter: Counter, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("alice\nbob")
    wrk.run(
        "checkout", counter.url, connections=1, seconds=1,
        skus="MUG", tokens=tmp_path / "tokens", rate=50,
    )  # fmt: skip
    assert set(counter.column("Authorization")) == {"Bearer alice", "Bearer bob"}


def test_a_pace_is_kept_although_connections_would_go_faster(counter: Counter) -> None:
    wrk.run("checkout", counter.url, connections=8, seconds=2, skus="MUG", rate=20)
    # Without a pace it would be thousands; a slow machine may fall behind, but not get ahead.
    assert 0 < len(counter.asked) <= 2 * 20 + 8


def test_two_runs_at_once_share_no_key(counter: Counter) -> None:
    both = [
        wrk.start("checkout", counter.url, connections=1, seconds=1, skus="MUG", rate=50)
        for _ in range(2)
    ]
    for running in both:
        running.result()
    keys = counter.column("Idempotency-Key")
    assert len(set(keys)) == len(keys)


def test_pages_and_orders_are_looked_at_as_given(counter: Counter) -> None:
    wrk.run("browse", counter.url, connections=1, seconds=1, paths="/,/search/?q=mug")
    wrk.run("status", counter.url, connections=1, seconds=1, orders="one:secret,two:hidden")
    seen = {(path, headers.get("X-Order-Token")) for path, headers, _ in counter.asked}
    assert seen == {
        ("/", None),
        ("/search/?q=mug", None),
        ("/api/v1/orders/one/status/", "secret"),
        ("/api/v1/orders/two/status/", "hidden"),
    }


def test_an_argument_that_the_script_does_not_know_is_an_error(counter: Counter) -> None:
    with pytest.raises(RuntimeError, match="no such argument: pause"):
        wrk.run("checkout", counter.url, connections=1, seconds=1, skus="MUG", pause=100)
    assert counter.asked == []
