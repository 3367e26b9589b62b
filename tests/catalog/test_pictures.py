"""Pictures of other hosts: never from the server's own network, never anything but a picture."""

import io
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from apps.catalog import pictures

PUBLIC = "93.184.215.14"


def a_png(size=(4, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "tomato").save(file, "PNG")
    return file.getvalue()


class OtherHost(BaseHTTPRequestHandler):
    """A web server that is not ours, good and bad."""

    answers = {
        "/mug.png": (200, {"Content-Type": "image/png"}, a_png()),
        "/page.html": (200, {"Content-Type": "text/html"}, b"<html>"),
        "/liar.png": (200, {"Content-Type": "image/png"}, b"<svg onload='x()'/>"),
        "/drawing.svg": (200, {"Content-Type": "image/svg+xml"}, b"<svg/>"),
        "/gone.png": (404, {"Content-Type": "image/png"}, b""),
        "/moved.png": (302, {"Location": "/mug.png"}, b""),
        "/inside.png": (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b""),
        "/file.png": (302, {"Location": "file:///etc/passwd"}, b""),
        "/round.png": (302, {"Location": "/round.png"}, b""),
        "/nowhere.png": (302, {}, b""),
        "/large.png": (200, {"Content-Type": "image/png"}, b"x" * (pictures.BYTES_MAX + 1)),
    }
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/drip.png":
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            for _ in range(100):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.05)
            return
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def other_host(monkeypatch, settings, tmp_path):
    """`http://shop.example` is a server here that passes for a public one."""
    settings.MEDIA_ROOT = tmp_path
    server = ThreadingHTTPServer(("127.0.0.1", 0), OtherHost)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(OtherHost, "asked", [])
    look_up = pictures._look_up
    monkeypatch.setattr(
        pictures,
        "_look_up",
        lambda host, port: [PUBLIC] if host == "shop.example" else look_up(host, port),
    )
    inner = pictures.httpcore.SyncBackend.connect_tcp

    def connect_tcp(self, host, port, *args):
        assert host == PUBLIC, f"connected to {host}"
        return inner(self, "127.0.0.1", server.server_port, *args)

    monkeypatch.setattr(pictures.httpcore.SyncBackend, "connect_tcp", connect_tcp)
    yield tmp_path
    server.shutdown()
    server.server_close()


def fetch(url: str) -> pictures.Fetched:
    return pictures.fetch_all([url])[url]


@pytest.mark.parametrize("path", ["mug.png", "moved.png"])
def test_a_picture_is_stored_under_its_digest(other_host, path):
    fetched = fetch(f"http://shop.example/{path}")

    assert fetched.trouble == ""
    assert fetched.path.startswith("/media/catalog/") and fetched.path.endswith(".png")
    assert (other_host / fetched.path.removeprefix("/media/")).read_bytes() == a_png()
    assert fetch(f"http://shop.example/{path}") == fetched


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        ("page.html", "not a picture"),
        ("liar.png", "not a picture that can be read"),
        ("drawing.svg", "not a picture that can be read"),
        ("gone.png", "the server answered 404"),
        ("inside.png", "169.254.169.254 is not a public address"),
        ("file.png", "not an http address"),
        ("round.png", "too many redirects"),
        ("nowhere.png", "too many redirects"),
        ("large.png", "larger than 8 MB"),
    ],
)
def test_what_is_no_picture_gets_the_placeholder(other_host, path, trouble):
    assert fetch(f"http://shop.example/{path}") == pictures.Fetched(pictures.PLACEHOLDER, trouble)
    assert not list(other_host.rglob("*.*"))


def test_a_server_that_sends_slowly_is_given_up(other_host, monkeypatch):
    monkeypatch.setattr(pictures, "WHOLE_TIME", pictures.timedelta(seconds=0.3))

    assert fetch("http://shop.example/drip.png").trouble == "too slow"


def test_a_picture_of_too_many_pixels_is_refused(other_host, monkeypatch):
    monkeypatch.setattr(pictures, "PIXELS_MAX", 15)

    assert fetch("http://shop.example/mug.png").trouble == "too many pixels"


PRIVATE = [
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "localhost", "10.0.0.1"),
    *("172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[2002:7f00:1::]"),
    *("[64:ff9b::7f00:1]", "[ff02::1]", "[::127.0.0.1]", "[fec0::1]", "[64:ff9b:1::1]"),
    *("0177.0.0.1", "0x7f.0.0.1", "017700000001", "[::ffff:7f00:1]", "[2001::1]"),
    *("[100::1]", "[3fff::1]", "[5f00::1]", "192.88.99.1", "198.18.0.1", "192.0.0.9", "240.0.0.1"),
    *("[2002:808:808::1]", "168.63.129.16", "[::]", "[::ffff:0:7f00:1]"),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_inside_is_never_connected_to(host, monkeypatch):
    def connect_tcp(*_):
        raise AssertionError("connected")

    monkeypatch.setattr(pictures.httpcore.SyncBackend, "connect_tcp", connect_tcp)

    fetched = fetch(f"http://{host}/mug.png")

    assert fetched.path == pictures.PLACEHOLDER
    assert fetched.trouble.endswith("is not a public address")


def test_a_name_with_one_inner_address_among_others_is_refused(monkeypatch):
    monkeypatch.setattr(pictures, "_look_up", lambda host, port: [PUBLIC, "10.0.0.1"])

    assert fetch("http://two-faced.example/").trouble == (
        "two-faced.example is not a public address"
    )


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch):
    """A name that answers differently the second time gains nothing: there is no second time."""
    asked, connected = [], []

    def look_up(host, port):
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    def connect_tcp(self, host, *_):
        connected.append(host)
        raise pictures.httpcore.ConnectError("no network in this test")

    monkeypatch.setattr(pictures, "_look_up", look_up)
    monkeypatch.setattr(pictures.httpcore.SyncBackend, "connect_tcp", connect_tcp)

    fetch("http://rebinding.example/")

    assert (asked, connected) == (["rebinding.example"], [PUBLIC])


@pytest.mark.parametrize(
    "url",
    [
        *("", "mug.png", "file:///etc/passwd", "ftp://shop.example/x", "gopher://shop.example/"),
        *("http://", "http:///x", "http://[::1", "http://shop.example:99999/", "javascript:x()"),
        *("http://user:pass@shop.example/", "http://shop.example:6379/", "//shop.example/x"),
        *("http://shop.example/ü", "http://a b/", "http://\x00/", "http://\ud800/", "data:,x"),
        *("http://shop.example/\r\nX-Evil: 1", "http://shop.example\\@10.0.0.1/"),
    ],
)
def test_odd_addresses_get_the_placeholder(other_host, url):
    fetched = fetch(url)

    assert fetched.path == pictures.PLACEHOLDER
    assert fetched.trouble and "unexpected" not in fetched.trouble
    assert OtherHost.asked == []


def test_a_host_that_cannot_be_reached_is_asked_once(monkeypatch):
    connected = []

    def connect_tcp(self, host, *_):
        connected.append(host)
        time.sleep(0.05)
        raise pictures.httpcore.ConnectTimeout("slow")

    monkeypatch.setattr(pictures, "_look_up", lambda host, port: [PUBLIC])
    monkeypatch.setattr(pictures.httpcore.SyncBackend, "connect_tcp", connect_tcp)

    fetched = pictures.fetch_all(f"http://away.example/{n}.png" for n in range(200))

    assert len(connected) <= pictures.AT_ONCE
    assert {f.trouble for f in fetched.values()} == {"away.example cannot be reached"}
    assert len(fetched) == 200


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(pictures, "LOOKUP_TIME", pictures.timedelta(seconds=0.1))
    given_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: given_up.wait(60) and [])

    begun = time.monotonic()

    assert fetch("http://slow.example/").trouble == "slow.example cannot be found"
    assert time.monotonic() - begun < 30
    given_up.set()
