"""The waiting room before a flash sale: first come, first served, at a pace that can be served.

    place = waiting_room.enter(sale)                 take a ticket, behind everybody who is there
    place = waiting_room.look(sale, ticket)          where one stands now; says "still here" as well
    waiting_room.require(skus, tickets, key)         at the checkout; raises NotYourTurn

Who stands where is when she came, and the ticket says it: a signed moment by Redis's clock. A
reload, another device or an emptied Redis changes nothing about it. Nobody can jump: an earlier
moment cannot be signed by a client, and one ticket carries ORDERS_PER_TICKET orders, so that
passing it round helps nobody.

Each look lets on as many as are due at the sale's pace, from the head of the queue: no process
has to run for it. Who has not looked for ABSENT_AFTER is passed over, and keeps her place for when
she comes back. Being let on lasts ADMITTED_FOR; after that one queues up anew, behind the others.

With Redis away nobody can be asked to wait: everybody goes on, to an intake that sheds what it
cannot serve before anything is written.
"""

import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer

from apps.sales import on_sale
from apps.sales.on_sale import Sale
from storefront.quick_redis import Away, QuickRedis

ADMITTED_FOR = timedelta(minutes=10)
ABSENT_AFTER = timedelta(seconds=45)
LOOK_EVERY = timedelta(seconds=3)
ORDERS_PER_TICKET = 5  # declined cards and second thoughts included
KEPT_FOR = timedelta(days=1)  # past the sale's end, for retries of a key

# KEYS: queue, seen, admitted, pace. ARGV: ticket's id, moment it came (µs; '' when new), pace
# (a second), start of the sale (µs), then in µs: admitted for, absent after, keep.
# Answers {moment it came, now, admitted until or 0, how many are before it}.
LOOK = """
    local queue, seen, admitted, pace = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
    local id, came, rate, starts = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
    local clock = redis.call('TIME')
    local now = clock[1] * 1000000 + clock[2]

    local admitted_until = tonumber(redis.call('ZSCORE', admitted, id) or '0')
    if admitted_until > 0 and admitted_until <= now then
        -- Her time to order is over: behind the others again.
        redis.call('ZREM', admitted, id)
        admitted_until, came = 0, ''
    end
    if came == '' then came = string.format('%.0f', now) end
    if admitted_until == 0 then
        redis.call('ZADD', queue, 'NX', came, id)
        redis.call('ZADD', seen, now, id)
    end

    if now >= starts then
        local before = tonumber(redis.call('GET', pace) or '0')
        local last = before > 0 and before or now
        local due = math.floor((now - last) * rate / 1000000)
        if due > rate then
            last, due = now, rate  -- a pause is not made up for at once
        elseif due > 0 then
            last = last + due * 1000000 / rate
        end
        local passed_over = 0
        while due > 0 and passed_over < 1000 do
            local head = redis.call('ZRANGE', queue, 0, 0)[1]
            if not head then last = now break end
            local looked = tonumber(redis.call('ZSCORE', seen, head) or '0')
            redis.call('ZREM', queue, head)
            redis.call('ZREM', seen, head)
            if now - looked <= tonumber(ARGV[6]) then
                redis.call('ZADD', admitted, now + ARGV[5], head)
                due = due - 1
            else
                passed_over = passed_over + 1
            end
        end
        if last ~= before then redis.call('SET', pace, string.format('%.0f', last)) end
    end
    for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, math.floor(ARGV[7] / 1000)) end

    admitted_until = redis.call('ZSCORE', admitted, id) or '0'
    local before = redis.call('ZRANK', queue, id) or 0
    return {came, string.format('%.0f', now), admitted_until, before}
"""
# KEYS: admitted, the ticket's orders. ARGV: ticket's id, the checkout's key, most orders, keep (ms)
# Answers go, wait or spent. A key that was let on before is let on for good: its answer may have
# been lost.
SPEND = """
    if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then return 'go' end
    local clock = redis.call('TIME')
    local admitted_until = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
    if admitted_until <= clock[1] * 1000000 + clock[2] then return 'wait' end
    if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 'spent' end
    redis.call('SADD', KEYS[2], ARGV[2])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    return 'go'
"""

_redis = QuickRedis("waiting room", lambda: settings.SALES_REDIS_URL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody stands. `position` counts from 1, and is 0 for who may go on."""

    sale: Sale
    ticket: str
    admitted: bool
    position: int
    estimated_wait_seconds: int

    @property
    def look_again_in(self) -> int:
        """Seconds; in time for not being passed over."""
        longest = ABSENT_AFTER.total_seconds() / 3
        shortest = LOOK_EVERY.total_seconds()
        return round(min(longest, max(shortest, self.estimated_wait_seconds / 4)))


class NotYourTurn(Exception):
    """There is a queue before this checkout; `place` says where one stands in it."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"number {place.position} in the queue for {place.sale.name}")
        self.place = place


class NoSuchRoom(Exception):
    """No sale of that name has its doors open, or it has no waiting room."""


def room(slug: str) -> Sale:
    """The sale `slug`, when it has a waiting room. Raises NoSuchRoom."""
    for sale in on_sale.by_sku().values():
        if sale.slug == slug and sale.waiting_room:
            return sale
    raise NoSuchRoom(slug)


def enter(sale: Sale) -> Place:
    """Queue up behind everybody who is there."""
    return _stand(sale, secrets.token_urlsafe(12), came="")


def look(sale: Sale, ticket: str) -> Place:
    """Where the holder of `ticket` stands; one that is not ours, or of another sale, is new."""
    held = _read(sale, ticket)
    return _stand(sale, *held) if held else enter(sale)


def is_ticket_of(sale: Sale, ticket: str) -> bool:
    """Whether we wrote `ticket`, and for this sale."""
    return _read(sale, ticket) is not None


def closed(skus: Iterable[str], tickets: Sequence[str]) -> Sale | None:
    """The first sale among `skus` whose room one has to pass yet; None: on to the checkout."""
    for sale in _rooms(skus):
        ticket = _of_sale(sale, tickets)
        if ticket is None or not look(sale, ticket).admitted:
            return sale
    return None


def require(skus: Iterable[str], tickets: Sequence[str], key: str) -> None:
    """Let the checkout `key` go on when no SKU of it has a waiting room, or it has been passed.

    Raises NotYourTurn with the place of the first sale that makes it wait.
    """
    for sale in _rooms(skus):
        try:
            _require(sale, _of_sale(sale, tickets), key)
        except Away:
            return


def _require(sale: Sale, ticket: str | None, key: str) -> None:
    verdict = _spend(sale, ticket, key) if ticket else "wait"
    if verdict == "go":
        return
    place = look(sale, ticket) if ticket and verdict == "wait" else enter(sale)
    # That very look may have let her on: at a quiet hour nobody has to ask twice.
    if not place.admitted or _spend(sale, place.ticket, key) != "go":
        raise NotYourTurn(place)


def _rooms(skus: Iterable[str]) -> list[Sale]:
    sales = {sale.id: sale for sale in on_sale.of(skus).values() if sale.waiting_room}
    return list(sales.values())


def _of_sale(sale: Sale, tickets: Sequence[str]) -> str | None:
    return next((ticket for ticket in tickets if is_ticket_of(sale, ticket)), None)


def _spend(sale: Sale, ticket: str, key: str) -> str:
    held = _read(sale, ticket)
    if held is None:
        raise ValueError("not a ticket of this sale")
    ticket_id, _ = held
    keys = [f"room:{sale.id}:admitted", f"room:{sale.id}:orders:{ticket_id}"]
    kept = round(KEPT_FOR.total_seconds() * 1000)
    return str(_redis.run(SPEND, keys, [ticket_id, key, ORDERS_PER_TICKET, kept]))


def _stand(sale: Sale, ticket_id: str, came: str) -> Place:
    keys = [f"room:{sale.id}:{part}" for part in ("queue", "seen", "admitted", "pace")]
    try:
        came, now, admitted_until, before = _redis.run(
            LOOK,
            keys,
            [
                ticket_id,
                came,
                sale.admit_per_second,
                round(sale.starts_at * SECOND),
                _us(ADMITTED_FOR),
                _us(ABSENT_AFTER),
                _us(KEPT_FOR) + max(0, round(sale.ends_in * SECOND)),
            ],
        )
    except Away:
        return Place(sale, _signed(sale, ticket_id, came or "0"), True, 0, 0)
    ticket = _signed(sale, ticket_id, came)
    if float(admitted_until) > 0:
        return Place(sale, ticket, True, 0, 0)
    position = int(before) + 1
    until_start = max(0.0, sale.starts_at - int(now) / SECOND)
    wait = math.ceil(until_start + position / sale.admit_per_second)
    return Place(sale, ticket, False, position, wait)


# --- Tickets ------------------------------------------------------------------------------------

SECOND = 1_000_000  # µs
_signer = Signer(salt="apps.sales.waiting_room")


def _signed(sale: Sale, ticket_id: str, came: str) -> str:
    return _signer.sign(f"{sale.id}.{ticket_id}.{came}")


def _read(sale: Sale, ticket: str) -> tuple[str, str] | None:
    """(id, moment it came) of a ticket of ours for `sale`."""
    try:
        sale_id, ticket_id, came = _signer.unsign(ticket).split(".")
    except (BadSignature, ValueError):
        return None
    return (ticket_id, came) if sale_id == str(sale.id) else None


def _us(time: timedelta) -> int:
    return round(time.total_seconds() * SECOND)
