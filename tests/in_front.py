"""Requests as the server hands them to a WSGI application, and what it answered.

For what stands in front of Django: `Behind` is the shop there, and counts who came through to it.
"""

import io
import json
from typing import Any

from storefront.wsgi import shop

Answer = tuple[str, dict[str, str], bytes]


class Behind:
    """The shop behind, through Django, and how many came through to it."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.times += 1
        return shop(environ, start_response)


def request(to: str, body: Any, **changes: str) -> dict[str, Any]:
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


def answer(application: Any, environ: dict[str, Any]) -> Answer:
    """Status line, headers, body; none of the headers twice, but for cookies."""
    started: list[Any] = []
    parts = application(
        environ, lambda status, headers, error=None: started.extend((status, headers))
    )
    text = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    names = [name for name, _ in started[1] if name != "Set-Cookie"]
    assert len(names) == len(set(names)), "a header twice"
    return started[0], dict(started[1]), text
