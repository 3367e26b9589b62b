"""What a phone of the benchmarks sends: a whole purchase, in its order, again and again."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tools.bench import wrk

pytestmark = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is not installed (apt-get install wrk)"
)
PURCHASE = [
    "GET /api/v1/products/hot/",
    "POST /api/v1/carts/",
    "PUT /api/v1/carts/1/lines/HOT/",
    "GET /api/v1/carts/1/shipping-methods/?country=US",
    "POST /api/v1/checkouts/",
]
STATUS = {PURCHASE[1]: 201, PURCHASE[4]: 202}


class Shop:
    """Answers a purchase, and writes down what was sent: (method and path, headers, body)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        sent = json.loads(handler.rfile.read(length)) if length else None
        call = f"{handler.command} {handler.path}"
        self.asked.append((call, dict(handler.headers), sent))
        body = b'{"id":"1","token":"secret"}'
        handler.send_response(STATUS.get(call, 200))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.answer(self)

        do_POST = do_PUT = do_GET

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever).start()
        yield made
        server.shutdown()


def test_purchases_follow_one_another_call_by_call(shop: Shop) -> None:
    load = wrk.run("phone", shop.url, connections=1, seconds=1, call="purchase", skus="HOT")

    asked = [call for call, _, _ in shop.asked]
    assert asked[:10] == PURCHASE * 2
    whole = load.statuses["202"]
    assert len(load.durations) == whole
    assert all(duration > 0 for duration in load.durations)


def test_order_names_the_cart_and_has_a_key_of_its_own(shop: Shop) -> None:
    wrk.run("phone", shop.url, connections=1, seconds=1, call="purchase", skus="HOT")

    orders = [(headers, body) for call, headers, body in shop.asked if "checkouts" in call]
    assert {body["cart"] for _, body in orders} == {"1"}
    assert {headers["X-Cart-Token"] for headers, _ in orders} == {"secret"}
    keys = [headers["Idempotency-Key"] for headers, _ in orders]
    assert len(set(keys)) == len(keys) > 1
