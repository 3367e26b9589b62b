"""Requests as the server hands them to a WSGI application, and its answers.

`Behind` is the shop behind a shortcut; it counts the requests that came through to Django.
"""

import io
import json
from typing import Any

from storefront.wsgi import shop

Environ = dict[str, Any]
Answer = tuple[str, dict[str, str], bytes]


class Behind:
    """An application (by default the shop, through Django), and how often it was called."""

    def __init__(self, application: Any = shop) -> None:
        self.times = 0
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        self.times += 1
        return self._application(environ, start_response)


def request(to: str, body: Any, **changes: str) -> Environ:
    """The environ of a POST of JSON (or of bytes); a change to "absent" takes something out."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": to,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.input": io.BytesIO(sent),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    } | changes
    return {name: value for name, value in environ.items() if value != "absent"}


def exchange(application: Any, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, all headers as they were sent, body."""
    started: list[Any] = []
    parts = application(
        environ, lambda status, headers, error=None: started.extend((status, headers))
    )
    text = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return started[0], list(started[1]), text


def answer(application: Any, environ: Environ) -> Answer:
    """Status line, headers, body; none of the headers twice, but for cookies."""
    status, headers, text = exchange(application, environ)
    names = [name for name, _ in headers if name != "Set-Cookie"]
    assert len(names) == len(set(names)), "a header twice"
    return status, dict(headers), text
