"""Clients that hold connections open: slow bodies, slow heads, HTTP/2 streams that never end."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.exceptions

BODY = 1000  # bytes announced, of which a slow attacker sends a few
CHECKOUT = "/api/v1/checkouts/"

# A TCP port of this machine, or a unix socket.
Address = int | Path


def connect(address: Address, *, tls: bool = False, timeout: float = 10) -> socket.socket:
    """A connected socket; over TLS one for HTTP/2 that accepts any certificate."""
    if isinstance(address, Path):
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(timeout)
        line.connect(str(address))
        return line
    line = socket.create_connection(("127.0.0.1", address), timeout=timeout)
    if not tls:
        return line
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(line, server_hostname="localhost")


def request_head(path: str = CHECKOUT, *, host: str = "127.0.0.1", length: int = BODY) -> bytes:
    """The head of a checkout request that announces a body of `length` bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: slow\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@contextlib.contextmanager
def held(lines: list[socket.socket], feed: Callable[[socket.socket], None]) -> Iterator[None]:
    """Keep the connections for the length of the block; once a second `feed` each a byte."""
    over = threading.Event()

    def feed_all() -> None:
        while not over.wait(1.0):
            for line in lines:
                with contextlib.suppress(OSError):  # the server closed it
                    feed(line)

    feeder = threading.Thread(target=feed_all, daemon=True)
    feeder.start()
    try:
        yield
    finally:
        over.set()
        feeder.join()
        for line in lines:
            line.close()


@contextlib.contextmanager
def slow_bodies(address: Address, count: int, *, host: str = "127.0.0.1") -> Iterator[list]:
    """`count` HTTP/1.1 connections, each with a head and five bytes of its body."""
    lines = [connect(address) for _ in range(count)]
    for line in lines:
        line.sendall(request_head(host=host) + b'{"ema')
    with held(lines, lambda line: line.sendall(b"i")):
        yield lines


@contextlib.contextmanager
def slow_heads(address: Address, count: int) -> Iterator[list]:
    """`count` connections that send their head byte by byte."""
    lines = [connect(address) for _ in range(count)]
    for line in lines:
        line.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    with held(lines, lambda line: line.sendall(b"s")):
        yield lines


class SlowStreams:
    """One HTTP/2 connection with `count` requests, each of which has sent one byte of its body."""

    def __init__(self, address: Address, count: int, *, tls: bool) -> None:
        self.line = connect(address, tls=tls)
        self._talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._talk.initiate_connection()
        self._send()
        self._streams = []
        for _ in range(count):
            stream = self._talk.get_next_available_stream_id()
            self._talk.send_headers(
                stream,
                [
                    (":method", "POST"),
                    (":path", CHECKOUT),
                    (":scheme", "https" if tls else "http"),
                    (":authority", "localhost"),
                    ("content-type", "application/json"),
                    ("content-length", str(BODY)),
                    ("idempotency-key", "slow"),
                ],
            )
            self._talk.send_data(stream, b"{")
            self._streams.append(stream)
        self._send()

    def feed(self) -> None:
        """Send one byte more on every stream."""
        for stream in self._streams:
            with contextlib.suppress(h2.exceptions.H2Error):  # the server has ended it
                self._talk.send_data(stream, b" ")
        self._send()

    def _send(self) -> None:
        self.line.sendall(self._talk.data_to_send())


@contextlib.contextmanager
def slow_streams(
    address: Address, *, connections: int, streams: int, tls: bool
) -> Iterator[list[SlowStreams]]:
    attackers = [SlowStreams(address, streams, tls=tls) for _ in range(connections)]
    by_line = {attacker.line: attacker for attacker in attackers}
    with held(list(by_line), lambda line: by_line[line].feed()):
        yield attackers


def seconds_until_answer(
    address: Address, path: str = "/healthz", *, tls: bool = False, host: str = "127.0.0.1",
    patience: float = 5.0,
) -> float:  # fmt: skip
    """Seconds until a GET of `path` was answered 200; `patience` when it was not."""
    began = time.monotonic()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with connect(address, timeout=patience) as plain:
            line = context.wrap_socket(plain, server_hostname="localhost") if tls else plain
            with line:
                line.sendall(
                    f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
                )
                answer = b""
                while b"\r\n" not in answer and (more := line.recv(4096)):
                    answer += more
    except OSError:
        return patience
    return time.monotonic() - began if answer.startswith(b"HTTP/1.1 200") else patience


def closed_within(line: socket.socket, seconds: float) -> bool:
    """Whether the server closes this connection, with or without an answer, in `seconds`."""
    line.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        try:
            while line.recv(65_536):
                pass
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            return True
        return True
    return False


class LatencyProbe:
    """Requests /healthz of the shop every `every` seconds and measures the latency."""

    def __init__(self, port: int, *, every: float = 0.5) -> None:
        self._port = port
        self._every = every
        self._over = threading.Event()
        self.seconds: list[float] = []
        self._thread = threading.Thread(target=self._measure, name="latency-probe", daemon=True)
        self._thread.start()

    def _measure(self) -> None:
        while not self._over.wait(self._every):
            self.seconds.append(seconds_until_answer(self._port))

    def stop(self) -> list[float]:
        """End; the seconds that each answer took."""
        self._over.set()
        self._thread.join(10)
        return self.seconds


@contextlib.contextmanager
def half_open_sockets(address: Address, count: int) -> Iterator[list]:
    """`count` websocket handshakes that lack their last line, sent byte by byte."""
    lines = [connect(address) for _ in range(count)]
    for line in lines:
        line.sendall(
            b"GET /ws/orders/0198b2c4-1234-7123-8123-1234567890ab/ HTTP/1.1\r\n"
            b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nX-Slow: "
        )
    with held(lines, lambda line: line.sendall(b"s")):
        yield lines
