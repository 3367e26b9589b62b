"""The Redis that keeps guests' carts: a connection per thread, short timeouts, no second try.

A command is never repeated: one whose answer was lost may have been carried out.
"""

import contextlib
import logging
from collections.abc import Iterator

import redis
from django.conf import settings

from apps.cart.errors import CartsUnavailable
from apps.core.redis_client import thread_client

logger = logging.getLogger(__name__)


def client() -> redis.Redis:
    """The client for `CARTS_REDIS_URL`."""
    return client_of(settings.CARTS_REDIS_URL)


def client_of(url: str) -> redis.Redis:
    """The client for `url`."""
    return thread_client(url, decode_responses=True)


@contextlib.contextmanager
def unavailable_as_error() -> Iterator[None]:
    """Raise every failure of Redis as `CartsUnavailable`."""
    try:
        yield
    except redis.RedisError as error:
        # Down, frozen, loading, read-only, out of memory: the same to a shopper.
        logger.warning("guests' carts unavailable: %s: %s", type(error).__name__, error)
        raise CartsUnavailable from error
