"""How often one address, account, cart or guesser may do a thing.

Counted in Redis by the `limits` library (a sliding window, one atomic script per count), so that
every web process sees the same number. The table of limits stands below and in docs/api.md: a
shopper never meets one, a script does.

Not of record: when Redis is away everybody is let through, because a shop without limits for a
minute is better than a shop that is shut. The failure is remembered for `AWAY_SECONDS`, or else
each request would wait for Redis's timeout anew.
"""

import hashlib
import ipaddress
import logging
import math
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import RedisError

from storefront.quick_redis import quick_client

logger = logging.getLogger(__name__)

AWAY_SECONDS = 3.0
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Limit:
    """At most `amount` counts in any `seconds` for one subject (an address, an account …)."""

    name: str
    amount: int
    seconds: int

    @property
    def item(self) -> RateLimitItem:
        return RateLimitItemPerSecond(self.amount, self.seconds, namespace=self.name)


# Addresses have wide limits: behind one of them stands a household, an office, or a whole mobile
# network on the day of a sale. Accounts and carts are one person's, so theirs are narrow.
CHECKOUTS_OF_ADDRESS = Limit("checkouts-address", 300, 60)
CHECKOUTS_OF_USER = Limit("checkouts-user", 60, 60)
CHECKOUTS_OF_CART = Limit("checkouts-cart", 30, 60)
WRITES_OF_ADDRESS = Limit("writes-address", 1200, 60)
WRITES_OF_USER = Limit("writes-user", 300, 60)
WRITES_OF_CART = Limit("writes-cart", 240, 60)
NEW_CARTS_OF_ADDRESS = Limit("carts-address", 300, 60)
TICKETS_OF_ADDRESS = Limit("tickets-address", 300, 60)
LOGINS_OF_ADDRESS = Limit("logins-address", 60, 60)
LOGINS_OF_ACCOUNT = Limit("logins-account", 10, 60)
REGISTRATIONS_OF_ADDRESS = Limit("registrations-address", 30, 60)
# Counted only when a token or an id was wrong: a shopper's own link never adds to it.
WRONG_TOKENS_OF_ADDRESS = Limit("wrong-tokens-address", 60, 60)
PROMO_TRIES_OF_ADDRESS = Limit("promo-tries-address", 60, 60)


class LimitReached(Exception):
    """Too often. `retry_after` is in whole seconds; `headers` are for the 429."""

    def __init__(self, limit: Limit, retry_after: int) -> None:
        super().__init__(limit.name)
        self.limit = limit
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Retry-After": str(self.retry_after),
            "RateLimit-Limit": str(self.limit.amount),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(self.retry_after),
            "RateLimit-Policy": f"{self.limit.amount};w={self.limit.seconds}",
        }


class _Storage(RedisStorage):
    """The library's, asked by the shop's own client: every write counts twice or more."""

    def initialize_storage(self, _uri: str) -> None:
        self.storage = quick_client(settings.RATE_LIMITS_REDIS_URL)
        super().initialize_storage(_uri)


class _Counter:
    """The connection to Redis, made on first use, and what is known of its health."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._away_until = 0.0

    def ask(
        self, question: Callable[[SlidingWindowCounterRateLimiter], Any], otherwise: Any
    ) -> Any:
        """`question`'s answer, or `otherwise` while limits are off or Redis is away."""
        if not settings.RATE_LIMITS or time.monotonic() < self._away_until:
            return otherwise
        try:
            return question(self._limiter or self._connect())
        except RedisError as error:
            # OSError and timeouts arrive as RedisError too.
            self._away_until = time.monotonic() + AWAY_SECONDS
            logger.warning("rate limits are blind: %s", type(error).__name__)
            return otherwise

    def _connect(self) -> SlidingWindowCounterRateLimiter:
        with self._lock:
            if self._limiter is None:
                storage = _Storage("redis://", key_prefix="rl")
                self._limiter = SlidingWindowCounterRateLimiter(storage)
            return self._limiter


_counter = _Counter()


def count(limit: Limit, subject: str | int) -> None:
    """Count one more for `subject`; raises LimitReached when that is one too many."""
    item, who = limit.item, str(subject)
    if not _counter.ask(lambda limiter: limiter.hit(item, who), True):
        raise LimitReached(limit, _retry_after(limit, who))


def refuse_if_reached(limit: Limit, subject: str | int) -> None:
    """Raises LimitReached when `subject` has used `limit` up; counts nothing.

    For limits on failures: look before the try, `count` after a wrong one.
    """
    item, who = limit.item, str(subject)
    if not _counter.ask(lambda limiter: limiter.test(item, who), True):
        raise LimitReached(limit, _retry_after(limit, who))


def forget(limit: Limit, subject: str | int) -> None:
    """Begin at nothing again: who has just shown the right password was not guessing."""
    item, who = limit.item, str(subject)
    _counter.ask(lambda limiter: limiter.clear(item, who), None)


def account_digest(login: str) -> str:
    """The subject for an account's limits, the same on every face of the shop.

    By digest, because Redis need not know who our customers are. In the widest reading that any
    sign-in form has of a name: the admin's takes a full-width "ａlice@…" for alice.
    """
    name = unicodedata.normalize("NFKC", login).strip().lower()
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]


def _retry_after(limit: Limit, who: str) -> int:
    now = time.time()
    stats = _counter.ask(lambda limiter: limiter.get_window_stats(limit.item, who), None)
    reset = stats.reset_time if stats is not None else now
    return max(1, min(limit.seconds, math.ceil(reset - now)))


# --- Whose request is it ------------------------------------------------------------------------


def client_address(meta: Mapping[str, Any]) -> str:
    """The address limits are counted for, from a WSGI environ or `request.META`."""
    return address_of(
        peer=str(meta.get("REMOTE_ADDR") or ""),
        forwarded_for=str(meta.get("HTTP_X_FORWARDED_FOR") or ""),
    )


def address_of(*, peer: str, forwarded_for: str) -> str:
    """The client's address as our own proxies saw it.

    settings.TRUSTED_PROXIES is how many of them stand in front. Each appends whom it heard from,
    so the client is that many entries from the right; what stands further left the client wrote
    itself, and believing it would give every request a fresh limit. An entry that is no address (or
    missing) falls back to the peer. An IPv6 client is its /64: one host owns all of that.
    """
    proxies = settings.TRUSTED_PROXIES
    if proxies and forwarded_for:
        entries = forwarded_for[-1000:].split(",")
        if len(entries) >= proxies and (seen := _normal_address(entries[-proxies].strip())):
            return seen
    return _normal_address(peer) or UNKNOWN


@lru_cache(maxsize=4096)
def _normal_address(text: str) -> str:
    """`text` as one spelling of an address, without a port; empty when it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


# --- For Django's pages -------------------------------------------------------------------------

Rule = tuple[Limit, Callable[[HttpRequest], str | int | None]]


def by_address(request: HttpRequest) -> str:
    return client_address(request.META)


def by_user(request: HttpRequest) -> int | None:
    """The signed-in user's id; None (not counted) for guests."""
    return request.user.pk if request.user.is_authenticated else None


# What every page that writes begins with; those that write to a cart count it as well.
WRITES: tuple[Rule, ...] = ((WRITES_OF_ADDRESS, by_address), (WRITES_OF_USER, by_user))


def limited(
    *rules: Rule,
    answer: Callable[[HttpRequest, LimitReached], HttpResponse],
    methods: frozenset[str] = frozenset({"POST", "PUT", "PATCH", "DELETE"}),
) -> Callable:
    """Decorate a page's view: count its `methods` by `rules`, answer a reached limit by `answer`.

    `@limited((LOGINS_OF_ADDRESS, by_address), answer=too_many)`; the headers of the 429 are added
    here, `answer` only draws the page. Limits that the view counts itself, because only it knows
    the cart or whether a token was wrong, are answered here as well.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if request.method in methods:
                    for limit, subject_of in rules:
                        if (subject := subject_of(request)) is not None:
                            count(limit, subject)
                return view(request, *args, **kwargs)
            except LimitReached as reached:
                response = answer(request, reached)
                for name, value in reached.headers.items():
                    response[name] = value
                return response

        return counted

    return decorate
