"""Redis for those who can go on without it: asked once, briefly, and left alone while it is silent.

    asker = QuickRedis("stock gate", lambda: settings.SALES_REDIS_URL)
    asker.ask(lambda redis: redis.get("a"))      raises Away

One try with short time-outs: redis-py's own retries would make a dead Redis cost seconds. And for
`AWAY_SECONDS` after a failure nobody in this process asks again, or each request would wait anew.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

AWAY_SECONDS = 3.0
T = TypeVar("T")


class Away(Exception):
    """Redis does not answer, or cannot take what it is given; go on without it."""


class QuickRedis:
    """One purpose's way to Redis, and what is known of its health."""

    def __init__(self, purpose: str, url: Callable[[], str]) -> None:
        self._purpose = purpose
        self._url = url
        self._away_until = 0.0

    def ask(self, question: Callable[["redis.Redis"], T]) -> T:
        """`question`'s answer. Raises Away, at once while Redis was silent a moment ago."""
        if time.monotonic() < self._away_until:
            raise Away
        try:
            return question(_client(self._url()))
        except redis.RedisError as error:
            # OSError and timeouts arrive as RedisError too.
            self._away_until = time.monotonic() + AWAY_SECONDS
            logger.warning("%s: Redis is away: %s", self._purpose, type(error).__name__)
            raise Away from error

    def run(self, script: str, keys: list[str], args: list[Any]) -> Any:
        """One call of a Lua script; Redis remembers it by its digest. Raises Away."""
        return self.ask(lambda client: _script(self._url(), script)(keys=keys, args=args))


@functools.cache
def _client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(
        url, decode_responses=True, retry=Retry(NoBackoff(), 0), **settings.REDIS_TIMEOUTS
    )


@functools.cache
def _script(url: str, text: str) -> Any:
    return _client(url).register_script(text)
