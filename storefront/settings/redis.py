"""Redis: the task broker, caches, guests' carts, rate limits, websockets. Nothing of record."""

from typing import Any
from urllib.parse import urlsplit

from storefront.settings.base import STOREFRONT_HOME
from storefront.settings.environment import is_set, positive_count, read, switch, url
from tools import embedded

redis_url = url("redis", "rediss", "unix")
REDIS_URL = read("REDIS_URL", redis_url, embedded.redis_url(STOREFRONT_HOME))


def redis_db(number: int, server: str | None = None) -> str:
    """REDIS_URL, or the URL `server`, with the logical database `number`."""
    server = server or REDIS_URL
    if server.startswith("unix"):
        return f"{server}?db={number}"
    return urlsplit(server)._replace(path=f"/{number}").geturl()


def redis_of_its_own(name: str, socket: str, number: int) -> str:
    """The URL for one purpose: the variable `name` as it is, else the embedded server `socket`.

    Where REDIS_URL is set and `name` is not, it is database `number` there: then all purposes share
    one memory limit, and `check --deploy` says what that costs.
    """
    if is_set(name):
        return read(name, redis_url, None)
    own = None if is_set("REDIS_URL") else embedded.redis_url(STOREFRONT_HOME, socket)
    return redis_db(number, own)


REDIS_TIMEOUTS = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}  # seconds
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_of_its_own("CACHE_REDIS_URL", embedded.REDIS_CACHE, 1),
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            **{name.upper(): seconds for name, seconds in REDIS_TIMEOUTS.items()},
        },
    },
}
# Without the cache a page is slow, and not an error. So no lock and no count of record may be kept
# in it.
DJANGO_REDIS_IGNORE_EXCEPTIONS = True
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
CARTS_REDIS_URL = redis_of_its_own("CARTS_REDIS_URL", embedded.REDIS_CARTS, 3)
RATE_LIMITS_REDIS_URL = redis_of_its_own("RATE_LIMITS_REDIS_URL", embedded.REDIS_LIMITS, 4)
FLASH_SALES_REDIS_URL = redis_db(5)
RATE_LIMITS = read("RATE_LIMITS", switch, True)

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # channels_redis blocks for 5 s, which is also redis-py's default for socket_timeout: of
        # two equal times either may end first.
        "CONFIG": {"hosts": [{"address": redis_db(2), "socket_timeout": 15}]},
    },
}

# Websockets that one realtime process keeps, in all and for one address
# (apps/realtime/socket_limits.py). One address may be a household, an office, or a part of a mobile
# network: as many sockets as there may be orders from it in a minute.
LIVE_SOCKETS_MAX = read("LIVE_SOCKETS_MAX", positive_count, 8_000)
LIVE_SOCKETS_OF_ADDRESS = read("LIVE_SOCKETS_OF_ADDRESS", positive_count, 300)
