"""The waiting room before a flash sale: first come, first served, at a fixed rate.

    place = waiting_room.enter(sale)             get a ticket, at the end of the queue
    place = waiting_room.look(sale, ticket)      the present place; also shows that one still waits
    waiting_room.require(skus, tickets, key)     at the checkout; raises NotYourTurn

The queue is ordered by the time of entering, and the ticket contains it (tickets.py): signed, by
Redis's clock. A reload, another device or an emptied Redis does not change a place. The
queue cannot be jumped: a client cannot sign an earlier time, and one ticket is good for
ORDERS_PER_TICKET orders, so that sharing it is no use.

Each call admits as many as are due at the sale's rate, from the head of the queue; no process has
to run for it. A ticket that was not looked up for ABSENT_AFTER is skipped, and gets its place back
when it is looked up again. An admission lasts ADMITTED_FOR; after it the ticket goes to the end.

While Redis is down no shopper can be made to wait: every shopper goes on to the intake, which sheds
what it cannot serve before anything is written.
"""

import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from apps.core.redis_client import OptionalRedis, RedisUnavailable
from apps.flash_sales import active_sales
from apps.flash_sales import tickets as signed_tickets
from apps.flash_sales.active_sales import Sale

ADMITTED_FOR = timedelta(minutes=10)
ABSENT_AFTER = timedelta(seconds=45)
LOOK_EVERY = timedelta(seconds=3)
ORDERS_PER_TICKET = 5  # declined cards and changed orders included
KEPT_FOR = timedelta(days=1)  # after the sale's end, for retries of a key
SECOND = 1_000_000  # µs

# KEYS: queue, seen, admitted, pace. ARGV: ticket's id, when it entered (µs; '' when new), rate
# (a second), start of the sale (µs), then in µs: admitted for, absent after, keep.
# Returns {when it entered, now, admitted until or 0, how many are before it}.
LOOK = """
    local queue, seen, admitted, pace = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
    local id, entered, rate, starts = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
    local clock = redis.call('TIME')
    local now = clock[1] * 1000000 + clock[2]

    local admitted_until = tonumber(redis.call('ZSCORE', admitted, id) or '0')
    if admitted_until > 0 and admitted_until <= now then
        -- The admission has ended: to the end of the queue.
        redis.call('ZREM', admitted, id)
        admitted_until, entered = 0, ''
    end
    if entered == '' then entered = string.format('%.0f', now) end
    if admitted_until == 0 then
        redis.call('ZADD', queue, 'NX', entered, id)
        redis.call('ZADD', seen, now, id)
    end

    if now >= starts then
        local before = tonumber(redis.call('GET', pace) or '0')
        local last = before > 0 and before or now
        local due = math.floor((now - last) * rate / 1000000)
        if due > rate then
            last, due = now, rate  -- after a pause the missed admissions are not made up for
        elseif due > 0 then
            last = last + due * 1000000 / rate
        end
        local skipped = 0
        while due > 0 and skipped < 1000 do
            local head = redis.call('ZRANGE', queue, 0, 0)[1]
            if not head then last = now break end
            local looked = tonumber(redis.call('ZSCORE', seen, head) or '0')
            redis.call('ZREM', queue, head)
            redis.call('ZREM', seen, head)
            if now - looked <= tonumber(ARGV[6]) then
                redis.call('ZADD', admitted, now + ARGV[5], head)
                due = due - 1
            else
                skipped = skipped + 1
            end
        end
        if last ~= before then redis.call('SET', pace, string.format('%.0f', last)) end
    end
    for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, math.floor(ARGV[7] / 1000)) end

    admitted_until = redis.call('ZSCORE', admitted, id) or '0'
    local before = redis.call('ZRANK', queue, id) or 0
    return {entered, string.format('%.0f', now), admitted_until, before}
"""
# KEYS: admitted, the ticket's orders. ARGV: ticket's id, checkout's key, most orders, keep (ms).
# Returns go, wait or spent. A key that was admitted before is admitted again: its answer may have
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

_redis = OptionalRedis("waiting room", lambda: settings.FLASH_SALES_REDIS_URL)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue. `position` counts from 1, and is 0 when admitted."""

    sale: Sale
    ticket: str
    admitted: bool
    position: int
    estimated_wait_seconds: int

    @property
    def look_again_in(self) -> int:
        """Seconds until the next look; soon enough not to be skipped."""
        longest = ABSENT_AFTER.total_seconds() / 3
        shortest = LOOK_EVERY.total_seconds()
        return round(min(longest, max(shortest, self.estimated_wait_seconds / 4)))


class NotYourTurn(Exception):
    """The checkout has to wait in the queue; `place` is its place there."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"number {place.position} in the queue for {place.sale.name}")
        self.place = place


class NoSuchRoom(Exception):
    """No open sale has this slug, or it has no waiting room."""


def room(slug: str) -> Sale:
    """The open sale with this slug, if it has a waiting room. Raises NoSuchRoom."""
    for sale in active_sales.by_sku().values():
        if sale.slug == slug and sale.waiting_room:
            return sale
    raise NoSuchRoom(slug)


def enter(sale: Sale) -> Place:
    """A new ticket at the end of the queue."""
    return _place(sale, secrets.token_urlsafe(12), entered="")


def look(sale: Sale, ticket: str) -> Place:
    """The place of `ticket`; a new ticket if it is invalid or of another sale."""
    held = signed_tickets.read(sale, ticket)
    return _place(sale, *held) if held else enter(sale)


def is_ticket_of(sale: Sale, ticket: str) -> bool:
    """Whether `ticket` is a valid ticket for this sale."""
    return signed_tickets.read(sale, ticket) is not None


def closed(skus: Iterable[str], tickets: Sequence[str]) -> Sale | None:
    """The first sale of `skus` whose waiting room has not admitted these tickets; None: go on."""
    for sale in _rooms(skus):
        ticket = _of_sale(sale, tickets)
        if ticket is None or not look(sale, ticket).admitted:
            return sale
    return None


def require(skus: Iterable[str], tickets: Sequence[str], key: str) -> None:
    """Check that the waiting rooms of all `skus` have admitted one of `tickets`.

    Counts the checkout `key` against the ticket. Raises NotYourTurn with the place in the first
    room that has not.
    """
    for sale in _rooms(skus):
        try:
            _require(sale, _of_sale(sale, tickets), key)
        except RedisUnavailable:
            return


def _require(sale: Sale, ticket: str | None, key: str) -> None:
    verdict = _spend(sale, ticket, key) if ticket else "wait"
    if verdict == "go":
        return
    place = look(sale, ticket) if ticket and verdict == "wait" else enter(sale)
    # The look itself may have admitted the ticket: without a queue there is no need to ask twice.
    if not place.admitted or _spend(sale, place.ticket, key) != "go":
        raise NotYourTurn(place)


def _rooms(skus: Iterable[str]) -> list[Sale]:
    sales = {sale.id: sale for sale in active_sales.of(skus).values() if sale.waiting_room}
    return list(sales.values())


def _of_sale(sale: Sale, tickets: Sequence[str]) -> str | None:
    return next((ticket for ticket in tickets if is_ticket_of(sale, ticket)), None)


def _spend(sale: Sale, ticket: str, key: str) -> str:
    held = signed_tickets.read(sale, ticket)
    if held is None:
        raise ValueError("not a ticket of this sale")
    ticket_id, _ = held
    keys = [f"room:{sale.id}:admitted", f"room:{sale.id}:orders:{ticket_id}"]
    kept = round(KEPT_FOR.total_seconds() * 1000)
    return str(_redis.run(SPEND, keys, [ticket_id, key, ORDERS_PER_TICKET, kept]))


def _place(sale: Sale, ticket_id: str, entered: str) -> Place:
    keys = [f"room:{sale.id}:{part}" for part in ("queue", "seen", "admitted", "pace")]
    try:
        entered, now, admitted_until, before = _redis.run(
            LOOK,
            keys,
            [
                ticket_id,
                entered,
                sale.admit_per_second,
                round(sale.starts_at * SECOND),
                _microseconds(ADMITTED_FOR),
                _microseconds(ABSENT_AFTER),
                _microseconds(KEPT_FOR) + max(0, round(sale.ends_in * SECOND)),
            ],
        )
    except RedisUnavailable:
        return Place(sale, signed_tickets.sign(sale, ticket_id, entered or "0"), True, 0, 0)
    ticket = signed_tickets.sign(sale, ticket_id, entered)
    if float(admitted_until) > 0:
        return Place(sale, ticket, True, 0, 0)
    position = int(before) + 1
    until_start = max(0.0, sale.starts_at - int(now) / SECOND)
    wait = math.ceil(until_start + position / sale.admit_per_second)
    return Place(sale, ticket, False, position, wait)


def _microseconds(time: timedelta) -> int:
    return round(time.total_seconds() * SECOND)
