"""Guests' carts, in Redis: one hash per cart, gone when nobody wrote to it for CART_TIME.

    cart:<id in hex>
        token        SHA-256 of the token; the token itself is only in the guest's hands
        promos       JSON list of codes
        version      counts changes, so that a merge can tell whether the cart moved meanwhile
        next         position of the next new line
        sku:<SKU>    "<position>:<quantity>"
    carts:since      when this Redis was first seen empty, in seconds since 1970

A line is changed by a script inside Redis, so that two tabs which add at the same moment both
count; reading, changing here and writing back would lose one of them. Every call is one round trip,
bounded by settings.REDIS_TIMEOUTS and never repeated: an answer that was lost may have been carried
out. Redis away or full is `CartsUnavailable`.
"""

import contextlib
import functools
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from uuid_utils.compat import uuid7

from apps.cart.basket import LINES_MAX, QUANTITY_MAX, CartLineView, CartView
from apps.cart.errors import (
    CartNotFound,
    CartsUnavailable,
    InsufficientStock,
    InvalidQuantity,
    TooManyLines,
)

logger = logging.getLogger(__name__)

# A checkout that was begun with a cart is over by then: its wait for the intake, and the commit.
LOSS_IS_FELT_FOR = timedelta(seconds=60)
_SINCE = "carts:since"

# Each script answers {outcome, …}; "gone" when the cart expired since it was read.
_CHANGE_LINE = """
    local cart, sku, mode = KEYS[1], ARGV[1], ARGV[2]
    local quantity, available = tonumber(ARGV[3]), tonumber(ARGV[4])
    local quantity_max, lines_max, ttl = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
    if redis.call('EXISTS', cart) == 0 then return {'gone'} end

    local there = redis.call('HGET', cart, sku)
    local position, before
    if there then
        position, before = string.match(there, '^(%d+):(%d+)$')
        before = tonumber(before)
    else
        before = 0
    end
    local after = quantity
    if mode == 'add' then after = before + quantity end

    if after > 0 then
        if after > quantity_max then return {'too_much'} end
        if after > available then return {'short'} end
        if not there then
            -- Four fields of every cart are no lines.
            if redis.call('HLEN', cart) - 4 >= lines_max then return {'full'} end
            position = redis.call('HINCRBY', cart, 'next', 1)
        end
        redis.call('HSET', cart, sku, position .. ':' .. after)
    else
        redis.call('HDEL', cart, sku)
    end
    redis.call('HINCRBY', cart, 'version', 1)
    redis.call('PEXPIRE', cart, ttl)
    return {'done', redis.call('HGETALL', cart)}
"""

_SET_PROMOS = """
    if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
    redis.call('HSET', KEYS[1], 'promos', ARGV[1])
    redis.call('HINCRBY', KEYS[1], 'version', 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return {'done', redis.call('HGETALL', KEYS[1])}
"""

_DELETE_UNCHANGED = """
    local version = redis.call('HGET', KEYS[1], 'version')
    if not version then return {'gone'} end
    if version ~= ARGV[1] then return {'changed'} end
    redis.call('DEL', KEYS[1])
    return {'done'}
"""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A guest's cart, and the number of changes it had seen when it was read."""

    cart: CartView
    version: str


def create() -> CartView:
    """An empty cart with a new token."""
    cart_id, token = uuid7(), secrets.token_urlsafe(32)
    fields: dict[Any, Any] = {
        "token": _digest(token),
        "promos": "[]",
        "version": "0",
        "next": "0",
    }
    with _answering():
        pipeline = _client().pipeline(transaction=True)
        pipeline.hset(_key(cart_id), mapping=fields)
        pipeline.pexpire(_key(cart_id), settings.CART_TIME)
        pipeline.set(_SINCE, _made_at(cart_id), nx=True)
        pipeline.execute()
    return CartView(id=cart_id, owner_id=None, token=token, lines=(), promo_codes=())


def find(cart_id: UUID, token: str) -> Versioned:
    """The cart, for whoever holds its token; `CartNotFound` for everyone else."""
    with _answering():
        fields: dict[Any, Any] = _client().hgetall(_key(cart_id))
    # Compared also when there is no cart, and in constant time: guesses learn nothing.
    digest = fields.get("token", "")
    if not hmac.compare_digest(digest, _digest(token)):
        raise CartNotFound(cart_id)
    return Versioned(_view(cart_id, token, fields), fields["version"])


def may_be_lost(cart_id: UUID) -> bool:
    """Whether a cart that is not there may have been, until Redis lost it a moment ago.

    Redis was emptied or started within LOSS_IS_FELT_FOR, and the id is of before that: who has
    just ordered the cart elsewhere and asks again must not hear that there is no such thing. A
    customer's cart, which is not kept here, is no exception: that would tell strangers of it.
    """
    if cart_id.version != 7:
        return False  # not of ours
    now = time.time()
    with _answering():
        pipeline = _client().pipeline(transaction=True)
        pipeline.set(_SINCE, int(now * 1000) / 1000, nx=True)  # as precise as the ids are
        pipeline.get(_SINCE)
        pipeline.info("server")
        _, emptied_at, server = pipeline.execute()
    since = max(float(emptied_at), now - server["uptime_in_seconds"])
    return _made_at(cart_id) < since and now - since < LOSS_IS_FELT_FOR.total_seconds()


def set_line(cart: CartView, sku: str, quantity: int, *, available: int) -> CartView:
    """Make it `quantity`; 0 removes."""
    return _change_line(cart, sku, "set", quantity, available)


def add(cart: CartView, sku: str, quantity: int, *, available: int) -> CartView:
    """Put `quantity` to what is there."""
    return _change_line(cart, sku, "add", quantity, available)


def set_promos(cart: CartView, codes: tuple[str, ...]) -> CartView:
    with _answering():
        answer = _scripts().set_promos(keys=[_key(cart.id)], args=[json.dumps(codes), _ttl()])
    return _after(cart, answer)


def delete_unchanged(read: Versioned) -> bool:
    """Drop the cart if it is as it was read; False when somebody changed it meanwhile."""
    with _answering():
        answer = _scripts().delete_unchanged(keys=[_key(read.cart.id)], args=[read.version])
    return answer[0] != "changed"


def _change_line(cart: CartView, sku: str, mode: str, quantity: int, available: int) -> CartView:
    with _answering():
        answer = _scripts().change_line(
            keys=[_key(cart.id)],
            args=[f"sku:{sku}", mode, quantity, available, QUANTITY_MAX, LINES_MAX, _ttl()],
        )
    match answer[0]:
        case "short":
            raise InsufficientStock(sku, available)
        case "too_much":
            raise InvalidQuantity(QUANTITY_MAX)
        case "full":
            raise TooManyLines(LINES_MAX)
        case _:
            return _after(cart, answer)


def _after(cart: CartView, answer: list) -> CartView:
    if answer[0] == "gone":
        raise CartNotFound(cart.id)
    pairs = iter(answer[1])
    return _view(cart.id, cart.token, dict(zip(pairs, pairs, strict=True)))


def _view(cart_id: UUID, token: str | None, fields: Mapping[str, str]) -> CartView:
    lines = []
    for name, value in fields.items():
        if name.startswith("sku:"):
            position, quantity = value.split(":")
            lines.append((int(position), CartLineView(name[4:], int(quantity))))
    lines.sort(key=lambda line: line[0])
    return CartView(
        id=cart_id,
        owner_id=None,
        token=token,
        lines=tuple(line for _, line in lines),
        promo_codes=tuple(json.loads(fields["promos"])),
    )


def _made_at(cart_id: UUID) -> float:
    """Seconds since 1970, by the id: it is a UUIDv7 (RFC 9562)."""
    return (cart_id.int >> 80) / 1000


def _key(cart_id: UUID) -> str:
    return f"cart:{cart_id.hex}"


def _digest(token: str) -> str:
    # 256 random bits need no salt and no slow hash; a header may hold any character.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _ttl() -> int:
    """CART_TIME in milliseconds."""
    return int(settings.CART_TIME.total_seconds() * 1000)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        # Away, frozen, loading, read-only, out of memory: one thing to a shopper.
        logger.warning("guests' carts unavailable: %s: %s", type(error).__name__, error)
        raise CartsUnavailable from error


@dataclass(frozen=True, slots=True)
class _Scripts:
    change_line: redis.commands.core.Script
    set_promos: redis.commands.core.Script
    delete_unchanged: redis.commands.core.Script


def _scripts() -> _Scripts:
    return _scripts_of(settings.CARTS_REDIS_URL)


def _client() -> redis.Redis:
    return _client_of(settings.CARTS_REDIS_URL)


@functools.cache
def _scripts_of(url: str) -> _Scripts:
    client = _client_of(url)
    return _Scripts(
        change_line=client.register_script(_CHANGE_LINE),
        set_promos=client.register_script(_SET_PROMOS),
        delete_unchanged=client.register_script(_DELETE_UNCHANGED),
    )


@functools.cache
def _client_of(url: str) -> redis.Redis:
    # redis-py would try three more times with pauses: a shopper waits once.
    return redis.Redis.from_url(
        url, decode_responses=True, retry=Retry(NoBackoff(), 0), **settings.REDIS_TIMEOUTS
    )
