"""Redis for code that can continue without it: one try, short time-outs, a pause after a failure.

    gate_redis = OptionalRedis("stock gate", lambda: settings.FLASH_SALES_REDIS_URL)
    gate_redis.ask(lambda redis: redis.get("a"))      raises RedisUnavailable

redis-py's own retries would make a dead Redis cost seconds. And for `AWAY_SECONDS` after a failure
nothing in this process asks again, or each request would wait for the time-out anew.
"""

import functools
import logging
import os
import threading
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


class RedisUnavailable(Exception):
    """Redis does not answer, or refuses the command; continue without it."""


class OptionalRedis:
    """The access to Redis for one purpose, which remembers a failure for AWAY_SECONDS."""

    def __init__(self, purpose: str, url: Callable[[], str]) -> None:
        self._purpose = purpose
        self._url = url
        self._away_until = 0.0

    def ask(self, question: Callable[["redis.Redis"], T]) -> T:
        """What `question` returns. Raises RedisUnavailable, at once soon after a failure."""
        if time.monotonic() < self._away_until:
            raise RedisUnavailable
        try:
            return question(_client(self._url()))
        except redis.RedisError as error:
            # OSError and timeouts arrive as RedisError too.
            self._away_until = time.monotonic() + AWAY_SECONDS
            logger.warning("%s: Redis does not answer: %s", self._purpose, type(error).__name__)
            raise RedisUnavailable from error

    def run(self, script: str, keys: list[str], args: list[Any]) -> Any:
        """One call of a Lua script; Redis knows it by its digest. Raises RedisUnavailable."""
        return self.ask(lambda client: _script(self._url(), script)(keys=keys, args=args))


class ThreadClient(redis.Redis):
    """redis-py with a connection for each thread, and without what it does around each command.

    The pool, the retries (which are off anyhow) and the unused metrics are more than
    half of what a command costs (78 µs of processor, without them 34, measured), and a checkout
    sends three. Pipelines still go through the pool.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._kept = threading.local()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        own = self._connection()
        own.send_packed_command([_packed(own, args)], check_health=False)
        return self.parse_response(own, args[0], **options)

    def execute_together(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The replies to several commands that are sent as one packet."""
        own = self._connection()
        packed = b"".join(_packed(own, command) for command in commands)
        own.send_packed_command([packed], check_health=False)
        return [self.parse_response(own, command[0]) for command in commands]

    def _connection(self) -> Any:
        """This thread's connection; a new one after a fork, reopened when Redis has closed it."""
        own = getattr(self._kept, "connection", None)
        if own is None or own.pid != os.getpid():
            pool = self.connection_pool
            own = self._kept.connection = pool.connection_class(**pool.connection_kwargs)
            return own
        try:
            # Readable before a command was sent: Redis has closed the connection (a restart), or
            # the reply to an earlier command that timed out has arrived.
            dirty = own.can_read()
        except redis.RedisError:
            dirty = True
        if dirty:
            own.disconnect()
        return own


def _packed(connection: Any, args: tuple[Any, ...]) -> bytes:
    """A command as Redis reads it, made of texts, numbers and bytes; anything else by redis-py.

    redis-py looks at each argument's kind several times, which was a third of a command's cost.
    """
    if " " in args[0]:  # two words, "CONFIG GET": redis-py sends them apart
        return b"".join(connection.pack_command(*args))
    parts = [b"*%d\r\n" % len(args)]
    for argument in args:
        kind = type(argument)
        if kind is str:
            argument = argument.encode()
        elif kind is int or kind is float:
            argument = repr(argument).encode()
        elif kind is not bytes:
            return b"".join(connection.pack_command(*args))
        parts.append(b"$%d\r\n%b\r\n" % (len(argument), argument))
    return b"".join(parts)


@functools.cache
def thread_client(url: str, **options: Any) -> ThreadClient:
    """The one client of this process for `url`: one try, short time-outs."""
    pool = redis.ConnectionPool.from_url(
        url, retry=Retry(NoBackoff(), 0), **settings.REDIS_TIMEOUTS, **options
    )
    return ThreadClient(connection_pool=pool)


def _client(url: str) -> ThreadClient:
    return thread_client(url, decode_responses=True)


@functools.cache
def _script(url: str, text: str) -> Any:
    return _client(url).register_script(text)
