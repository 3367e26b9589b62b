"""The Redis that keeps guests' carts: one client per process, short timeouts, no second try.

A command is never repeated: one whose answer was lost may have been carried out.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.cart.errors import CartsUnavailable

logger = logging.getLogger(__name__)


def client() -> redis.Redis:
    """The client for `CARTS_REDIS_URL`."""
    return client_of(settings.CARTS_REDIS_URL)


@functools.cache
def client_of(url: str) -> redis.Redis:
    """The client for `url`."""
    # redis-py would try three more times with pauses, and the shopper would wait for each.
    return redis.Redis.from_url(
        url, decode_responses=True, retry=Retry(NoBackoff(), 0), **settings.REDIS_TIMEOUTS
    )


@contextlib.contextmanager
def unavailable_as_error() -> Iterator[None]:
    """Raise every failure of Redis as `CartsUnavailable`."""
    try:
        yield
    except redis.RedisError as error:
        # Down, frozen, loading, read-only, out of memory: the same to a shopper.
        logger.warning("guests' carts unavailable: %s: %s", type(error).__name__, error)
        raise CartsUnavailable from error
