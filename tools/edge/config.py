"""Caddy's configuration as a plain dict: server, log, certificates.

Built from values, so that a test can check it without a running server.
"""

from tools.edge import routes
from tools.edge.answers import Json, errors, hide_server_name
from tools.edge.limits import (
    ANSWER_SECONDS,
    HEADER_BYTES,
    HEADER_SECONDS,
    KEEP_ALIVE_SECONDS,
    REQUEST_SECONDS,
)
from tools.edge.parameters import Edge


def configuration(edge: Edge) -> Json:
    """The whole configuration, as Caddy reads it from a JSON file."""
    return {
        # No changes while it runs: a new configuration needs a restart.
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(edge.folder)},
        "logging": {"logs": {"default": _log()}},
        "apps": {
            "http": {
                "grace_period": "5s",
                **({"https_port": edge.port} if edge.tls != "off" else {}),
                "servers": {"edge": _server(edge), "alive": _alive(edge)},
            },
            **_certificates(edge),
        },
    }


def _log() -> Json:
    """Errors only, without headers and queries of requests: they contain tokens."""
    return {
        "level": "ERROR",
        # An error that a client can cause is written a few times a second at most.
        "sampling": {"interval": 1_000_000_000, "first": 5, "thereafter": 1000},
        "encoder": {
            "format": "filter",
            "wrap": {"format": "console"},
            "fields": {
                "request>headers": {"filter": "delete"},
                "request>uri": {"filter": "regexp", "regexp": r"[?].*|(.{200}).*", "value": "$1"},
                "resp_headers": {"filter": "delete"},
            },
        },
    }


def _alive(edge: Edge) -> Json:
    """A socket that only answers whether this process is alive."""
    return {
        "listen": [f"unix/{edge.alive}|0600"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": [{"handler": "static_response", "status_code": "200"}]}],
    }


def _certificates(edge: Edge) -> Json:
    if edge.tls == "off":
        return {}
    issuer = {"module": "acme"} if edge.tls == "auto" else {"module": "internal"}
    return {
        "tls": {
            "certificates": {"automate": list(edge.hosts)},
            "automation": {"policies": [{"subjects": list(edge.hosts), "issuers": [issuer]}]},
        },
        # Caddy's own certificate authority is not added to those that this machine trusts.
        "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
    }


def _server(edge: Edge) -> Json:
    host = "127.0.0.1" if edge.development else ""
    server: Json = {
        "listen": [f"{host}:{edge.port}"],
        # Without TLS no browser uses HTTP/2. HTTP/3 is left out: the time limits below were
        # shown for 1.1 and 2 only.
        "protocols": ["h1"] if edge.tls == "off" else ["h1", "h2"],
        "read_header_timeout": f"{HEADER_SECONDS}s",
        "read_timeout": f"{REQUEST_SECONDS}s",
        "read_idle_timeout": "-1s",
        "write_timeout": f"{ANSWER_SECONDS}s",
        "idle_timeout": f"{KEEP_ALIVE_SECONDS}s",
        "max_header_bytes": HEADER_BYTES,
        "routes": [
            hide_server_name(),
            routes.websockets(edge),
            routes.refuse_large_bodies(edge),
            {"handle": [routes.compressed()]},
            routes.files(
                "static", edge.static_root, routes.static_headers(development=edge.development)
            ),
            routes.files("media", edge.media_root, routes.media_headers()),
            routes.back_office(edge),
            routes.everything_else(edge),
        ],
        "errors": {"routes": errors(edge.page)},
    }
    if edge.tls == "off":
        server["automatic_https"] = {"disable": True}
    else:
        server["tls_connection_policies"] = [{}]
    if edge.proxies:
        # Then the addresses that they recorded are kept, and the shop counts them from the right
        # (core: client_addresses.address_of); without a proxy the client's own header is dropped.
        server["trusted_proxies"] = {"source": "static", "ranges": ["0.0.0.0/0", "::/0"]}
    return server
