"""Connections for health checks and metrics, outside the pools that serve shoppers.

Connecting and each answer time out after PROBE_SECONDS.
"""

from urllib.parse import urlsplit

import psycopg
import redis
from django.conf import settings
from django.db import connections

PROBE_SECONDS = 2


def open_connection() -> "psycopg.Connection[tuple]":
    """A new connection to the shop's database, in autocommit mode."""
    limits = f"-c statement_timeout={PROBE_SECONDS}s -c lock_timeout={PROBE_SECONDS}s"
    parameters = connections["default"].get_connection_params() | {
        "connect_timeout": PROBE_SECONDS,
        "options": limits,
    }
    return psycopg.connect(**parameters, autocommit=True)


def redis_urls() -> dict[str, str]:
    """The URL of Redis for each purpose; several purposes may share one server."""
    return {
        "redis": settings.REDIS_URL,  # broker, channels, gateway circuit, flash sales
        "redis-carts": settings.CARTS_REDIS_URL,
        "redis-cache": settings.CACHES["default"]["LOCATION"],
        "redis-limits": settings.RATE_LIMITS_REDIS_URL,
    }


def redis_server_of(url: str) -> str:
    """The server that `url` names: without its credentials and the number of the database."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname}:{parts.port or 6379}"


def open_redis(url: str) -> "redis.Redis":
    """A client of the server at `url`, with short time-outs; close it by `with`."""
    return redis.Redis.from_url(
        url, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS
    )
