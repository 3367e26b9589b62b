"""Bytes that no client library would send, to the real servers: an answer below 500, or none."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.journeys.shopper import App, crowd
from tools.stack import Stack

pytestmark = pytest.mark.journey

TOKEN = "/api/v1/auth/token/"
LOGIN = json.dumps({"email": "nobody@example.com", "password": "wrong"}).encode()


def status_of(url: str, request: bytes, *, then: bytes = b"") -> int:
    """The status of the answer to these bytes; 0 when the connection is closed without one."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as line:
        try:
            line.sendall(request)
            for start in range(0, len(then), 65_536):
                line.sendall(then[start : start + 65_536])
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent; the answer may be there
        head = b""
        try:
            while b"\r\n\r\n" not in head and (more := line.recv(65_536)):
                head += more
        except ConnectionResetError:
            pass
    return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0


def request(
    url: str, path: bytes | str, *headers: bytes, body: bytes = b"", method: bytes = b"POST",
    length: bool = True, kind: bytes = b"application/json",
) -> bytes:  # fmt: skip
    target = path.encode() if isinstance(path, str) else path
    lines = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: " + urlsplit(url).netloc.encode(),
        b"Connection: close",
        *([b"Content-Type: " + kind] if method == b"POST" else []),
        *([b"Content-Length: %d" % len(body)] if length and method == b"POST" else []),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(body: bytes, size: int = 65_536) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_right_login_as_a_control(live_stack: Stack) -> None:
    assert status_of(live_stack.url, request(live_stack.url, TOKEN, body=LOGIN)) == 401


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (TOKEN, b"application/json"),
        ("/api/v1/checkouts/", b"application/json"),
        ("/account/login/", b"application/x-www-form-urlencoded"),
        ("/account/login/", b"multipart/form-data; boundary=x"),
        ("/admin/login/", b"application/x-www-form-urlencoded"),
        ("/stripe/webhook/0198b2c4-1234-7123-8123-1234567890ab/", b"application/json"),
    ],
)
@pytest.mark.parametrize("size", [0, 60, 10_000_000])
def test_body_in_chunks_is_read_or_refused(
    live_stack: Stack, path: str, kind: bytes, size: int
) -> None:
    url = live_stack.url
    body = b'{"email": "' + b"x" * size + b'"}' if size else LOGIN
    head = request(url, path, b"Transfer-Encoding: chunked", b"Idempotency-Key: k",
                   kind=kind, length=False)  # fmt: skip

    answer = status_of(url, head, then=chunked(body))

    assert answer in (0, 400, 401, 403, 404, 411, 413, 415), answer
    assert answer or size == 10_000_000


@pytest.mark.parametrize("path", [TOKEN, "/account/login/", "/admin/login/", "/checkout/"])
def test_ten_megabytes_are_refused(live_stack: Stack, path: str) -> None:
    url = live_stack.url
    body = b"x" * 10_000_000
    kind = b"application/json" if path == TOKEN else b"application/x-www-form-urlencoded"
    head = request(url, path, b"Content-Length: %d" % len(body), length=False, kind=kind)

    assert status_of(url, head, then=body) in (0, 400, 403, 413)


MANY_HEADERS = "a thousand headers"
UNKNOWN_CODING = "a transfer coding that is none"
LENGTH_AND_CHUNKS = "a length and chunks"
BROKEN = {
    "a length that is none": [b"Content-Length: abc"],
    "a negative length": [b"Content-Length: -1"],
    "a length beyond all numbers": [b"Content-Length: 99999999999999999999999"],
    "two lengths": [b"Content-Length: 2", b"Content-Length: 3"],
    LENGTH_AND_CHUNKS: [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    UNKNOWN_CODING: [b"Transfer-Encoding: xyz"],
    "a NUL in a header": [b"X-Cart-Token: a\x00b", b"Content-Length: 2"],
    "a header of raw bytes": [b"X-Cart-Token: \xff\xfe", b"Content-Length: 2"],
    "a key of raw bytes": [b"Idempotency-Key: \xff\x80", b"Content-Length: 2"],
    "a bearer of raw bytes": [b"Authorization: Bearer \xe9\xff", b"Content-Length: 2"],
    "a cookie of raw bytes": [b"Cookie: sessionid=\xff; csrftoken=\x80", b"Content-Length: 2"],
    "a header without a name": [b": x", b"Content-Length: 2"],
    "a header with a blank": [b"X Y: x", b"Content-Length: 2"],
    "a header of a megabyte": [b"X-Order-Token: " + b"x" * 1_000_000, b"Content-Length: 2"],
    MANY_HEADERS: [b"X-%d: x" % number for number in range(1000)],
    "a second host": [b"Host: evil.example", b"Content-Length: 2"],
    "forwarding garbage": [b"X-Forwarded-For: \xff,,,\x01", b"Content-Length: 2"],
    "an expectation": [b"Expect: 200-ok", b"Content-Length: 2"],
    "an upgrade": [b"Upgrade: h2c", b"HTTP2-Settings: x", b"Content-Length: 2"],
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("path", ["/api/v1/checkouts/", "/account/login/"])
def test_broken_head_is_refused(live_stack: Stack, what: str, path: str) -> None:
    head = request(live_stack.url, path, *BROKEN[what], length=False)

    # 501 is HTTP's own answer to a transfer coding that the server does not know (RFC 9112, 6.1).
    # A web process answers so many headers with 431 and closes the connection. When the edge is
    # still sending them, it finds the connection closed and answers 503.
    own = {UNKNOWN_CODING: {501}, MANY_HEADERS: {503}}.get(what, set())
    # Chunks that do not come are waited for until the edge's time limit; these come.
    body = chunked(b"{}") if what == LENGTH_AND_CHUNKS else b"{}"
    status = status_of(live_stack.url, head, then=body)
    assert status < 500 or status in own


@pytest.mark.parametrize(
    "path",
    [b"/p/%00/", b"/p/%ff%fe/", b"/p/\xff/", b"/search/?q=%00", b"/search/?q=%ff\xff",
     b"/%2e%2e/%2e%2e/etc/passwd", b"/media/../../etc/passwd", b"/media/%2e%2e/%2e%2e/etc/passwd",
     b"/media/%00", b"/static/../storefront/settings/base.py", b"/static/%00", b"//evil.example/",
     b"http://evil.example/", b"*", b"/" + b"a" * 20_000, b"/?" + b"a=1&" * 5000, b"/%", b"/%zz",
     b"/api/v1/%ff/", b"/api/v1/products/?cursor=%ff%00", b"/healthz?%00", b"/metrics%00"],
)  # fmt: skip
@pytest.mark.parametrize("method", [b"GET", b"POST", b"PROPFIND", b"get"])
def test_strange_target_is_refused_and_gives_nothing_away(
    live_stack: Stack, path: bytes, method: bytes
) -> None:
    assert status_of(live_stack.url, request(live_stack.url, path, method=method)) < 500


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"BREW", b"DELETE", b"X" * 5000])
def test_other_method_is_refused(live_stack: Stack, method: bytes) -> None:
    for path in ("/", TOKEN, "/account/login/", "/healthz"):
        assert status_of(live_stack.url, request(live_stack.url, path, method=method)) in (
            *(0, 400, 403, 404, 405, 411, 501),
        )


@pytest.mark.parametrize(
    "what", ["", "GET\r\n\r\n", "\x16\x03\x01\x02\x00", "\x00" * 100, "🫖\r\n"]
)
def test_what_is_no_http_is_disconnected(live_stack: Stack, what: str) -> None:
    for url in (live_stack.url, live_stack.live_url):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=60) as line:
            line.sendall(what.encode("utf-8", "surrogateescape"))
            answer = b""
            with contextlib.suppress(OSError):  # closed already
                line.shutdown(socket.SHUT_WR)
                answer = line.recv(1000)
        assert not answer or b" 400 " in answer.split(b"\r\n")[0] + b" ", answer


@pytest.mark.parametrize(
    "path",
    [b"/ws/orders/x/", b"/ws/orders/%00/", b"/ws/orders/%ff/", b"/ws/" + b"a" * 9000, b"/ws/orders/"
     b"0198b2c4-1234-7123-8123-1234567890ab/?token=%00%ff&after_seq=0", b"/x\xff", b"//evil"],
)  # fmt: skip
def test_handshake_of_garbage_stops_no_websocket_process(live_stack: Stack, path: bytes) -> None:
    headers = [b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Cookie: sessionid=\xff",
               b"Sec-WebSocket-Protocol: Bearer, \xe9"]  # fmt: skip
    url = live_stack.live_url
    head = request(url, path, *headers, method=b"GET").replace(
        b"Connection: close", b"Connection: Upgrade"
    )

    assert status_of(url, head) < 500


@pytest.fixture(scope="module", autouse=True)
def no_process_died(live_stack: Stack):
    """Every process that was there before is there afterwards: none had to be started again."""
    before = {name: live_stack.pid(name) for name in live_stack.names}
    yield
    assert {name: live_stack.pid(name) for name in live_stack.names} == before
    assert all(
        answer.status_code == 200
        for answer in crowd(8, lambda _: App(live_stack.url).ask("GET", "/products/"))
    )
