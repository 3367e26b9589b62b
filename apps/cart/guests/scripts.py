"""The Lua scripts that change a guest's cart inside Redis, each of them atomic.

Each returns {outcome, …}. Outcomes that all share: "gone" when the cart has expired since it was
read, "closed" when it was ordered, "done" with the cart's fields.
"""

import functools
from dataclasses import dataclass

import redis

from apps.cart.guests import connection

# KEYS: the cart, and since when this Redis is known (loss.py). ARGV: the digest of the token, the
# lifetime, the moment of now.
CREATE = """
    redis.call('HSET', KEYS[1], 'token', ARGV[1], 'promos', '[]', 'version', 0, 'next', 0)
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('SET', KEYS[2], ARGV[3], 'NX')
    return {'done'}
"""

CHANGE_LINE = """
    local cart, sku, mode = KEYS[1], ARGV[1], ARGV[2]
    local quantity, available = tonumber(ARGV[3]), tonumber(ARGV[4])
    local quantity_max, lines_max, ttl = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
    if redis.call('EXISTS', cart) == 0 then return {'gone'} end
    if redis.call('HEXISTS', cart, 'closed') == 1 then return {'closed'} end

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
            -- Four fields of every cart are no lines; a reopened cart may have a fifth.
            local others = 4 + redis.call('HEXISTS', cart, 'following')
            if redis.call('HLEN', cart) - others >= lines_max then return {'full'} end
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

SET_PROMOS = """
    if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
    if redis.call('HEXISTS', KEYS[1], 'closed') == 1 then return {'closed'} end
    redis.call('HSET', KEYS[1], 'promos', ARGV[1])
    redis.call('HINCRBY', KEYS[1], 'version', 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return {'done', redis.call('HGETALL', KEYS[1])}
"""

DELETE_UNCHANGED = """
    local version = redis.call('HGET', KEYS[1], 'version')
    if not version then return {'gone'} end
    if version ~= ARGV[1] then return {'changed'} end
    redis.call('DEL', KEYS[1])
    return {'done'}
"""

# KEYS: the cart, the one that follows if one is needed. ARGV: its id in hex, lifetime, the codes
# that were ordered (JSON); then, for each ordered line, its SKU and its quantity.
CLOSE = """
    local cart, following, id, ttl = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
    if redis.call('EXISTS', cart) == 0 then return {'gone'} end
    if redis.call('HEXISTS', cart, 'closed') == 1 then
        return {'done', redis.call('HGETALL', cart)}
    end

    local ordered, rest = {}, {}
    for at = 4, #ARGV, 2 do ordered[ARGV[at]] = tonumber(ARGV[at + 1]) end
    local there = redis.call('HGETALL', cart)
    for at = 1, #there, 2 do
        if string.sub(there[at], 1, 4) == 'sku:' then
            local position, now = string.match(there[at + 1], '^(%d+):(%d+)$')
            local wanted = ordered[there[at]] or 0
            if tonumber(now) > wanted then
                rest[#rest + 1] = there[at]
                rest[#rest + 1] = position .. ':' .. (tonumber(now) - wanted)
            end
            if wanted == 0 then
                redis.call('HDEL', cart, there[at])
            else
                redis.call('HSET', cart, there[at], position .. ':' .. wanted)
            end
            ordered[there[at]] = nil
        end
    end
    -- Removed from the cart since it was read, and ordered all the same.
    for sku, wanted in pairs(ordered) do
        redis.call('HSET', cart, sku, redis.call('HINCRBY', cart, 'next', 1) .. ':' .. wanted)
    end

    local had, new = {}, {}
    for _, code in ipairs(cjson.decode(ARGV[3])) do had[code] = true end
    for _, code in ipairs(cjson.decode(redis.call('HGET', cart, 'promos'))) do
        if not had[code] then new[#new + 1] = code end
    end
    if #rest > 0 or #new > 0 then
        local promos = '[]'
        if #new > 0 then promos = cjson.encode(new) end
        redis.call('HSET', following, 'token', redis.call('HGET', cart, 'token'), 'promos', promos,
            'version', 0, 'next', redis.call('HGET', cart, 'next'))
        if #rest > 0 then redis.call('HSET', following, unpack(rest)) end
        redis.call('PEXPIRE', following, ttl)
        redis.call('HSET', cart, 'following', id)
    end
    redis.call('HSET', cart, 'closed', 1, 'promos', ARGV[3])
    redis.call('HINCRBY', cart, 'version', 1)
    redis.call('PEXPIRE', cart, ttl)
    return {'done', redis.call('HGETALL', cart)}
"""

# KEYS: the closed cart, the one to make if none follows yet. ARGV: its id in hex, lifetime.
FOLLOW = """
    local cart, new, id, ttl = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
    local token = redis.call('HGET', cart, 'token')
    if not token then return {'gone'} end
    local known = redis.call('HGET', cart, 'following')
    if known and redis.call('EXISTS', 'cart:' .. known) == 1 then return {'done', known} end
    redis.call('HSET', new, 'token', token, 'promos', '[]', 'version', 0, 'next', 0)
    redis.call('PEXPIRE', new, ttl)
    redis.call('HSET', cart, 'following', id)
    redis.call('PEXPIRE', cart, ttl)
    return {'done', id}
"""

REOPEN = """
    if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
    redis.call('HDEL', KEYS[1], 'closed')
    redis.call('HINCRBY', KEYS[1], 'version', 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return {'done', redis.call('HGETALL', KEYS[1])}
"""


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts, registered with a client: Redis knows each by its digest."""

    create: redis.commands.core.Script
    change_line: redis.commands.core.Script
    set_promos: redis.commands.core.Script
    delete_unchanged: redis.commands.core.Script
    close: redis.commands.core.Script
    follow: redis.commands.core.Script
    reopen: redis.commands.core.Script


def scripts() -> Scripts:
    """The scripts on the Redis of `CARTS_REDIS_URL`."""
    return _scripts_of(connection.client())


@functools.cache
def _scripts_of(client: redis.Redis) -> Scripts:
    return Scripts(
        create=client.register_script(CREATE),
        change_line=client.register_script(CHANGE_LINE),
        set_promos=client.register_script(SET_PROMOS),
        delete_unchanged=client.register_script(DELETE_UNCHANGED),
        close=client.register_script(CLOSE),
        follow=client.register_script(FOLLOW),
        reopen=client.register_script(REOPEN),
    )
