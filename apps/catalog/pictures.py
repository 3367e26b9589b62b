"""Product pictures of other hosts: fetched in parallel, checked, stored; or else a placeholder.

A picture's URL comes from a file of unknown origin, so the request must not reach the server's own
network (SSRF): only http and https, and each connection, also after a redirect, goes to exactly
the IP address that was resolved and found public (apps/core/public_addresses.py), so a name that
resolves differently the second time has no effect. The response is used only if Pillow can read it
as one of a few image formats; it is stored under the digest of its bytes.

Without a network this fails fast: a host that cannot be reached once is not tried again in the same
run.
"""

import hashlib
import io
import logging
import queue
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

import httpcore
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from apps.core.public_addresses import is_public

log = logging.getLogger(__name__)

PLACEHOLDER = f"{settings.STATIC_URL}demo/placeholder.svg"
FOLDER = "catalog"
AT_ONCE = 8
ADDRESSES_MAX = 3
REDIRECTS_MAX = 3
BYTES_MAX = 8_000_000
PIXELS_MAX = 40_000_000
LOOKUP_TIME = timedelta(seconds=2)
CONNECT_TIME = timedelta(seconds=2)
READ_TIME = timedelta(seconds=4)
WHOLE_TIME = timedelta(seconds=15)  # ends downloads from a server that sends a byte a second
FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}  # no SVG: it can run scripts


class Unfetchable(Exception):
    """The picture cannot be fetched; the text says why, for people."""


class Unreachable(Unfetchable):
    """The host cannot be reached: its other pictures need not be tried."""


@dataclass(frozen=True)
class Fetched:
    """The URL path of the stored picture, or of the placeholder and why."""

    path: str
    trouble: str = ""


def fetch_all(
    urls: Iterable[str], *, progress: Callable[[int], None] = lambda done: None
) -> Mapping[str, Fetched]:
    """Fetch each URL once, AT_ONCE at a time; errors are in the results.

    `progress` is called with the number of URLs that are done.
    """
    asked = list(dict.fromkeys(urls))
    if not asked:
        return {}
    run = _Run()
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="pictures") as pool:
        fetched = {}
        for url, picture in zip(asked, pool.map(run.fetch, asked), strict=True):
            fetched[url] = picture
            progress(len(fetched))
        return fetched


def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of `host`. Raises Unfetchable when any is not on the public internet."""
    found = _look_up(host, port)
    if not all(map(is_public, found)):
        raise Unfetchable(f"{host} is not a public address")
    if not found:
        raise Unreachable(f"{host} cannot be found")
    return found


class _Run:
    """The downloads of one import: remembers the hosts that could not be reached."""

    def __init__(self) -> None:
        self._unreachable: dict[str, str] = {}

    def fetch(self, url: str) -> Fetched:
        try:
            return Fetched(_store(self._download(url)))
        except Unfetchable as trouble:
            return Fetched(PLACEHOLDER, str(trouble))
        except Exception as error:  # one picture must not stop an import of thousands
            log.exception("a picture could not be fetched")
            return Fetched(PLACEHOLDER, f"unexpected {type(error).__name__}")

    def _download(self, url: str) -> bytes:
        deadline = time.monotonic() + WHOLE_TIME.total_seconds()
        for _ in range(REDIRECTS_MAX + 1):
            host = _checked_host(url)
            if host in self._unreachable:
                raise Unreachable(self._unreachable[host])
            try:
                answer = _get(url, deadline)
            except Unreachable as trouble:
                self._unreachable[host] = str(trouble)
                raise
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
        raise Unfetchable("too many redirects")


class _PublicOnly(httpcore.NetworkBackend):
    """Connects to public addresses only, and to the same address that was checked."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        for address in public_addresses(host, port)[:ADDRESSES_MAX]:
            try:
                return self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # for example IPv6 without a route
        raise Unreachable(f"{host} cannot be reached")

    def connect_unix_socket(self, *_: object, **__: object) -> httpcore.NetworkStream:
        raise Unfetchable("not a public address")


def _checked_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unfetchable("not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unfetchable("not an http address")
    if parts.username is not None or port not in (None, 80, 443):
        raise Unfetchable("an address with a login or an unusual port")
    return parts.hostname


def _get(url: str, deadline: float) -> bytes | str:
    """The body, or the location of a redirect."""
    timeouts = {
        "connect": CONNECT_TIME.total_seconds(),
        "read": READ_TIME.total_seconds(),
        "write": READ_TIME.total_seconds(),
    }
    try:
        with (
            httpcore.ConnectionPool(network_backend=_PublicOnly()) as pool,
            pool.stream(
                "GET",
                httpcore.URL(url.encode("ascii", "strict")),
                headers={"Host": urlsplit(url).netloc, "Accept": "image/*"},
                extensions={"timeout": timeouts},
            ) as answer,
        ):
            headers = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
            if answer.status in (301, 302, 303, 307, 308):
                return headers.get(b"location", "")
            if answer.status != 200:
                raise Unfetchable(f"the server answered {answer.status}")
            return _body(answer, headers, deadline)
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        raise Unreachable(f"{urlsplit(url).hostname} cannot be reached") from error
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Unfetchable("the connection failed") from error
    except (UnicodeError, ValueError) as error:
        raise Unfetchable("not an address") from error


def _body(answer: httpcore.Response, headers: Mapping[bytes, str], deadline: float) -> bytes:
    if not headers.get(b"content-type", "").lower().startswith("image/"):
        raise Unfetchable("not a picture")
    body = bytearray()
    for part in answer.iter_stream():
        body += part
        if len(body) > BYTES_MAX:
            raise Unfetchable(f"larger than {BYTES_MAX // 1_000_000} MB")
        if time.monotonic() > deadline:
            raise Unfetchable("too slow")
    return bytes(body)


def _store(body: bytes) -> str:
    """Store the picture unless it is stored already; return its URL path."""
    name = f"{FOLDER}/{hashlib.sha256(body).hexdigest()[:32]}.{_extension(body)}"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(body))
    return default_storage.url(name)


def _extension(body: bytes) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body), formats=list(FORMATS)) as picture:
                if picture.width * picture.height > PIXELS_MAX:
                    raise Unfetchable("too many pixels")
                kind = picture.format
                picture.verify()
    except Unfetchable:
        raise
    except Exception as error:  # Pillow raises many types of error on malicious bytes
        raise Unfetchable("not a picture that can be read") from error
    return FORMATS[str(kind)]


def _look_up(host: str, port: int) -> list[str]:
    """getaddrinfo with a time-out: the resolver's own may be half a minute."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([str(row[4][0]) for row in rows])
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, daemon=True, name="look-up").start()
    try:
        answer = answers.get(timeout=LOOKUP_TIME.total_seconds())
    except queue.Empty:
        raise Unreachable(f"{host} cannot be found") from None
    if isinstance(answer, OSError):
        raise Unreachable(f"{host} cannot be found")
    return answer
