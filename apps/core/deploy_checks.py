"""`manage.py check --deploy`: the settings of the servers that the shop is connected to.

Each is asked once, with a short time-out. A server that does not answer is not checked: a machine
that only builds or checks a release reaches none.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from apps.core.postgres_log import QUIET_LOG
from apps.core.probing import (
    open_connection,
    open_redis,
    redis_server_of,
    redis_urls,
)

MUST_KEEP = {"redis": "the broker's tasks", "redis-carts": "guests' carts"}
MAY_FORGET = {"redis-cache": "the cache", "redis-limits": "rate limits"}
NOTHING = "noeviction"


@register(Tags.security, deploy=True)
def check_postgresql_log(**_: Any) -> list[CheckMessage]:
    """PostgreSQL may log statements (errors, lock waits, slow ones), which hold personal data."""
    try:
        with open_connection() as connection:
            found = dict(
                connection.execute(
                    "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(QUIET_LOG)]
                ).fetchall()
            )
    except psycopg.Error:
        return []
    return postgresql_findings(found)


def postgresql_findings(found: Mapping[str, str]) -> list[CheckMessage]:
    """`found`: pg_settings' names and settings, as far as this PostgreSQL has them."""
    # Data definition holds no personal data.
    harmless = {"log_statement": ("none", "ddl")}
    loud = [
        f"{name} = {QUIET_LOG[name]} (is {setting})"
        for name, setting in sorted(found.items())
        if setting not in harmless.get(name, (QUIET_LOG[name],))
    ]
    if not loud:
        return []
    return [
        Warning(
            "PostgreSQL may log statements with e-mail addresses, password hashes and client"
            " secrets in them.",
            hint=f"Set {', '.join(loud)}: docs/security.md.",
            id="storefront.W001",
        )
    ]


@register(Tags.caches, deploy=True)
def check_redis_memory(**_: Any) -> list[CheckMessage]:
    """What a full Redis would lose, by the purposes that share it and its eviction policy."""
    purposes: dict[str, list[str]] = {}
    urls = redis_urls()
    for name, url in urls.items():
        purposes.setdefault(redis_server_of(url), []).append(name)
    messages: list[CheckMessage] = []
    for names in purposes.values():
        try:
            with open_redis(urls[names[0]]) as client:
                policy = str(client.info("memory").get("maxmemory_policy", ""))
        except redis.RedisError:
            continue
        messages += redis_findings(names, policy)
    return messages


def redis_findings(names: list[str], policy: str) -> list[CheckMessage]:
    """Of one server that serves `names` of MUST_KEEP and MAY_FORGET, and evicts by `policy`."""
    kept = [MUST_KEEP[name] for name in names if name in MUST_KEEP]
    forgotten = [MAY_FORGET[name] for name in names if name in MAY_FORGET]
    own = "Set CARTS_REDIS_URL, CACHE_REDIS_URL and RATE_LIMITS_REDIS_URL: docs/operations.md."
    if policy == NOTHING and len(names) > 1:
        return [
            Warning(
                f"One Redis keeps {_listed(kept + forgotten)} and evicts nothing: when any of"
                " them fills it, writes of all are refused.",
                hint=own,
                id="storefront.W002",
            )
        ]
    if policy == NOTHING and forgotten:
        return [
            Warning(
                f"The Redis of {_listed(forgotten)} evicts nothing and is of no use once full.",
                hint="Set maxmemory-policy: allkeys-lru for the cache, volatile-ttl for limits.",
                id="storefront.W003",
            )
        ]
    if policy and policy != NOTHING and kept:
        return [
            Warning(
                f"A full Redis forgets {_listed(kept)} (maxmemory-policy {policy}).",
                hint=own if forgotten else "Set maxmemory-policy noeviction there.",
                id="storefront.W004",
            )
        ]
    return []


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@register(Tags.security, deploy=True)
def check_tls_is_terminated(**_: Any) -> list[CheckMessage]:
    """An https shop whose edge speaks plain HTTP needs a trusted proxy before it."""
    if (
        settings.DEVELOPMENT
        or settings.EDGE_TLS != "off"
        or settings.PROXIES_BEFORE_EDGE
        or not settings.SHOP_URL.startswith("https:")
    ):
        return []
    return [
        Warning(
            "SHOP_URL is https, and nobody speaks it: every page would lead over to https again.",
            hint="Set EDGE_TLS=auto, or TRUSTED_PROXIES=1 behind a proxy that does: docs/edge.md.",
            id="storefront.W005",
        )
    ]
