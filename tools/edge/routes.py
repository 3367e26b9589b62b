"""The edge's routes: websockets, files, the back office, and everything else."""

from pathlib import Path

from tools.edge.answers import ALLOW_NOTHING, Json
from tools.edge.limits import (
    BODY_BYTES,
    COMPRESS_FROM_BYTES,
    OFFICE_BODY_BYTES,
    OFFICE_BUFFER_BYTES,
    OFFICE_BYTES_PER_SECOND,
    OFFICE_IDLE_SECONDS,
    RETRY_SECONDS,
    SOCKET_SECONDS,
)
from tools.edge.parameters import Edge

# Caddy's own list has neither the API's problems nor its schema of a hundred kilobytes.
_COMPRESSED = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/vnd.oai.openapi",
    "application/javascript",
    "application/manifest+json",
    "application/xml",
    "image/svg+xml",
)
_HASHED_NAME = r"\.[0-9a-f]{12}\.[^/]+$"


def websockets(edge: Edge) -> Json:
    return {
        "match": [{"path": ["/ws/*"]}],
        "handle": [
            {
                "handler": "reverse_proxy",
                "transport": _transport(),
                "stream_timeout": f"{SOCKET_SECONDS}s",
                # A page sends a few bytes and receives a few hundred.
                "stream_buffer_size": 2048,
                "upstreams": [{"dial": f"127.0.0.1:{edge.live_port}"}],
            }
        ],
        "terminal": True,
    }


def refuse_large_bodies(edge: Edge) -> Json:
    """413 by the declared length, before a byte of the body is read."""
    return {
        "match": [
            {
                "header_regexp": {"Content-Length": {"pattern": more_than(BODY_BYTES)}},
                "not": [{"path": ["/admin/*"]}],
            },
            {"header_regexp": {"Content-Length": {"pattern": more_than(OFFICE_BODY_BYTES)}}},
            # Pictures come from signed-in staff; a web process decides whether that is so.
            {
                "header_regexp": {"Content-Length": {"pattern": more_than(BODY_BYTES)}},
                "not": [
                    {"header_regexp": {"Cookie": {"pattern": f"(^|; ?){edge.session_cookie}="}}}
                ],
            },
        ],
        "handle": [{"handler": "error", "status_code": 413, "error": "the body is too large"}],
        "terminal": True,
    }


def more_than(number: int) -> str:
    """A pattern that matches every whole number above `number`, written without leading zeros."""
    digits = str(number)
    longer = rf"\d{{{len(digits) + 1},}}"
    larger = [
        rf"{digits[:place]}[{int(digit) + 1}-9]\d{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return f"^(?:{'|'.join([longer, *larger])})$"


def compressed() -> Json:
    return {
        "handler": "encode",
        "encodings": {"zstd": {}, "gzip": {}},
        "prefer": ["zstd", "gzip"],
        "minimum_length": COMPRESS_FROM_BYTES,
        "match": {"headers": {"Content-Type": [f"{kind}*" for kind in _COMPRESSED]}},
    }


def files(name: str, root: Path, headers: list[Json]) -> Json:
    """Files below /`name`/ that are in `root`; a request for any other goes on to the shop."""
    found: Json = {
        "match": [{"file": {"root": str(root), "try_files": [f"/{{http.regexp.{name}.1}}"]}}],
        "handle": [
            *headers,
            {"handler": "rewrite", "uri": "{http.matchers.file.relative}"},
            {
                "handler": "file_server",
                "root": str(root),
                "precompressed": {"br": {}, "gzip": {}},
                "precompressed_order": ["br", "gzip"],
            },
        ],
        "terminal": True,
    }
    return {
        "match": [
            {"path_regexp": {"name": name, "pattern": f"^/{name}/(.+)$"}, "method": ["GET", "HEAD"]}
        ],
        "handle": [{"handler": "subroute", "routes": [found]}],
    }


def _headers(**values: str) -> Json:
    named = {name.replace("_", "-"): [value] for name, value in values.items()}
    return {"handler": "headers", "response": {"set": named}}


def static_headers(*, development: bool) -> list[Json]:
    if development:
        return [_headers(Cache_Control="no-cache", X_Content_Type_Options="nosniff")]
    # The content behind a name with a digest never changes.
    forever = {
        "match": [{"path_regexp": {"pattern": _HASHED_NAME}}],
        "handle": [_headers(Cache_Control="public, max-age=31536000, immutable")],
    }
    return [
        _headers(Cache_Control="public, max-age=60", X_Content_Type_Options="nosniff"),
        {"handler": "subroute", "routes": [forever]},
    ]


def media_headers() -> list[Json]:
    # Whatever a file contains, opened by itself it can run nothing.
    return [
        _headers(
            Cache_Control="public, max-age=3600",
            Content_Security_Policy=ALLOW_NOTHING,
            X_Content_Type_Options="nosniff",
        )
    ]


def back_office(edge: Edge) -> Json:
    """Uploads of product pictures: the body is streamed after its beginning was read."""
    return {
        "match": [
            {
                "path": ["/admin/*"],
                "header_regexp": {"Content-Length": {"pattern": more_than(BODY_BYTES)}},
            }
        ],
        "handle": [
            {
                "handler": "timeouts",
                "read_timeout": OFFICE_IDLE_SECONDS * 1_000_000_000,
                "read_min_rate": OFFICE_BYTES_PER_SECOND,
            },
            {"handler": "request_body", "max_size": OFFICE_BODY_BYTES},
            _web(edge, buffer=OFFICE_BUFFER_BYTES),
        ],
        "terminal": True,
    }


def everything_else(edge: Edge) -> Json:
    return {
        "handle": [
            {"handler": "request_body", "max_size": BODY_BYTES},
            # One byte more than a body may have: a buffer that is exactly full would stream the
            # rest, and pass on a body that is not complete.
            _web(edge, buffer=BODY_BYTES + 1),
        ]
    }


def _web(edge: Edge, *, buffer: int) -> Json:
    return {
        "handler": "reverse_proxy",
        "request_buffers": buffer,
        "transport": _transport(),
        "load_balancing": {
            "selection_policy": {"policy": "least_conn"},
            # Only a connection that could not be made is tried again: then no process has
            # received the request.
            "try_duration": f"{RETRY_SECONDS}s",
            "try_interval": "100ms",
        },
        # A process that could not be reached is left out for a second.
        "health_checks": {"passive": {"fail_duration": "1s", "max_fails": 1}},
        "upstreams": [{"dial": f"unix/{socket}"} for socket in edge.web_sockets],
    }


def _transport() -> Json:
    return {
        "protocol": "http",
        "dial_timeout": "2s",
        "response_header_timeout": "60s",
        # The shop's answers are compressed on their way out, not on the way to here.
        "compression": False,
        "keep_alive": {"enabled": True, "max_idle_conns_per_host": 256, "idle_timeout": "30s"},
        "max_response_header_size": 64 * 1024,
    }
