"""What the edge passes on, what it leaves out, and what it answers itself."""

import asyncio

import pytest
import requests
import websockets

from tests.journeys.shopper import App, Placed
from tools.faults.slow_clients import connect
from tools.stack import Stack

pytestmark = pytest.mark.journey

CHECKOUT = "/api/v1/checkouts/"


@pytest.fixture(scope="module")
def url(live_stack: Stack) -> str:
    return live_stack.url


def an_order(url: str) -> Placed:
    """One of the demo shop's goods, bought by a guest."""
    app = App(url)
    [product, *_] = app.ask("GET", "/products/?in_stock=true").json()["results"]
    variants = app.ask("GET", f"/products/{product['slug']}/").json()["variants"]
    return app.buy((next(v["sku"] for v in variants if v["available"]), 1))


def answer_to(port: int, request: bytes) -> bytes:
    with connect(port) as line:
        line.sendall(request)
        found = b""
        while more := line.recv(65_536):
            found += more
    return found


# --- One origin ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/api/v1/products/", "application/json"),
        ("/static/js/shop.js", "javascript"),
        ("/static/admin/css/base.css", "text/css"),
        ("/admin/login/", "text/html"),
        ("/healthz", "application/json"),
    ],
)
def test_everything_is_at_one_address(url: str, path: str, kind: str) -> None:
    answer = requests.get(url + path, timeout=60)
    assert answer.status_code == 200
    assert kind in answer.headers["Content-Type"]


def test_the_websocket_too(live_stack: Stack) -> None:
    order = an_order(live_stack.url)

    async def first_move() -> str:
        address = live_stack.url.replace("http", "ws", 1)
        path = f"/ws/orders/{order.id}/?token={order.token}"
        async with websockets.connect(address + path) as page:
            return str(await asyncio.wait_for(page.recv(), 10))

    assert '"seq":1' in asyncio.run(first_move()).replace(" ", "")


@pytest.mark.parametrize("path", ["/", "/api/v1/products/", "/nowhere/", "/static/js/shop.js"])
def test_no_answer_names_the_servers_behind(url: str, path: str) -> None:
    answer = requests.get(url + path, timeout=60)
    assert not {"Server", "Via", "X-Powered-By"} & set(answer.headers)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_pages_and_documents_are_compressed(url: str, coding: str) -> None:
    for path in ("/", "/api/v1/products/", "/static/js/order.js"):
        asked = {"Accept-Encoding": coding}
        answer = requests.get(url + path, headers=asked, timeout=60, stream=True)
        assert answer.headers["Content-Encoding"] == coding
        assert "Accept-Encoding" in answer.headers["Vary"]
        answer.close()


def test_a_compressed_status_is_still_recognised_by_its_etag(url: str) -> None:
    order = an_order(url)
    status = f"{url}/api/v1/orders/{order.id}/status/"
    headers = {"X-Order-Token": order.token, "Accept-Encoding": "gzip"}
    etag = requests.get(status, headers=headers, timeout=60).headers["ETag"]
    # The order's status changes meanwhile: at some point two requests see the same.
    for _ in range(20):
        again = requests.get(status, headers=headers | {"If-None-Match": etag}, timeout=60)
        if again.status_code == 304:
            return
        etag = again.headers["ETag"]
    raise AssertionError("never 304")


# --- Files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../manage.py", "/static/%2e%2e/manage.py", "/static/..%2fmanage.py"),
        *("/media/../celerybeat-schedule", "/media/%2e%2e/stack.lock", "/media//../stack.lock"),
        *("/static/", "/media/", "/static/js", "/static/js/", "/static/.hidden"),
    ],
)
def test_nothing_but_files_of_these_folders_is_served(live_stack: Stack, path: str) -> None:
    port = live_stack.ports.edge
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    status = answer_to(port, head).split(b"\r\n")[0]
    assert status.split()[1] in (b"301", b"400", b"404"), status


def test_a_picture_does_nothing_when_it_is_opened_by_itself(live_stack: Stack) -> None:
    folder = live_stack.home / "media"
    folder.mkdir(exist_ok=True)
    (folder / "evil.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    answer = requests.get(live_stack.url + "/media/evil.svg", timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- Addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-For", "X_Forwarded_For", "X-Forwarded_For", "X.Forwarded.For", "Forwarded"],
)
def test_a_visitors_own_header_gives_them_no_other_address(live_stack: Stack, name: str) -> None:
    """/metrics is for this machine only: its answer shows which address the shop believes."""
    port = live_stack.ports.edge
    head = (
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"{name}: 203.0.113.9\r\n\r\n"
    )
    assert answer_to(port, head.encode()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", ["X_Cart_Token", "Idempotency_Key", "X_Order_Token"])
def test_underscored_twins_are_dropped(live_stack: Stack, name: str) -> None:
    port = live_stack.ports.edge
    body = b"{}"
    head = (
        f"POST {CHECKOUT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{name}: twin\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    assert b"idempotency_key_missing" in answer_to(port, head + body)


# --- Too much -----------------------------------------------------------------------------------


def test_a_large_body_is_refused_by_its_length_alone(live_stack: Stack) -> None:
    for path, kind in ((CHECKOUT, b"application/problem+json"), ("/account/login/", b"text/html")):
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
            "Connection: close\r\n\r\n"
        )
        answer = answer_to(live_stack.ports.edge, head.encode())
        assert answer.startswith(b"HTTP/1.1 413")
        assert kind in answer


def test_a_body_in_chunks_has_the_same_limit(live_stack: Stack) -> None:
    """The key is there, so that the shop reads the body."""
    head = (
        f"POST {CHECKOUT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ).encode()
    chunk = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)
    answer = answer_to(live_stack.ports.edge, head + chunk * 12 + b"0\r\n\r\n")
    assert answer.split(b" ")[1] in (b"413", b"400"), answer[:200]


def test_a_web_process_that_is_down_costs_no_answer(live_stack: Stack) -> None:
    live_stack.kill("web-2")
    statuses = [
        requests.get(live_stack.url + "/healthz", timeout=60).status_code for _ in range(60)
    ]
    live_stack.wait_ready()
    assert statuses == [200] * 60


def test_with_all_of_them_down_pages_and_api_answer_so(live_stack: Stack) -> None:
    live_stack.stop_process("web")
    try:
        page = requests.get(live_stack.url + "/cart/", timeout=60)
        call = requests.get(live_stack.url + "/api/v1/products/", timeout=60)
    finally:
        live_stack.start_process("web")
        live_stack.wait_ready()
    assert (page.status_code, call.status_code) == (503, 503)
    assert "back in a moment" in page.text
    assert call.json()["code"] == "overloaded"
    assert page.headers["Retry-After"] == call.headers["Retry-After"] == "2"
