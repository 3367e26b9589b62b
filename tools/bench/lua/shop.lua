-- Shared by all wrk scripts: arguments, headers, and one line of JSON at the end.
--
-- Arguments behind `--`: the scenario's own, as key=value.

local ffi = require("ffi")

local shop = {}
local threads = {}
local given = {}

ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
local now, REALTIME = ffi.new("moment"), 0

-- Milliseconds since 1970.
local function milliseconds()
  ffi.C.clock_gettime(REALTIME, now)
  return tonumber(now.s) * 1000 + tonumber(now.ns) / 1e6
end

shop.now = milliseconds

-- As a table. One that is not among `known` would be measured as if it had not been given.
function shop.arguments(args, known)
  for _, argument in ipairs(args) do
    local name, value = argument:match("^(%w+)=(.*)$")
    if not (" " .. known .. " "):find(" " .. name .. " ", 1, true) then
      error("no such argument: " .. name)
    end
    given[name] = value
  end
  return given
end

-- The SKUs of an argument: "A,B,C", or "A-..N" for A-0001 to A-N.
function shop.skus(text)
  local found = {}
  local range = text:match("^(.-)%.%.%d+$")
  if range then
    for i = 1, tonumber(text:match("%.%.(%d+)$")) do
      table.insert(found, string.format("%s%04d", range, i))
    end
    return found
  end
  for sku in text:gmatch("[^,]+") do table.insert(found, sku) end
  return found
end

-- An idempotency key: 120 bits of wrk's random numbers, seeded per thread.
function shop.key()
  local parts = {}
  for i = 1, 4 do parts[i] = string.format("%08x", math.random(0, 0x7fffffff)) end
  return table.concat(parts)
end

-- The rate limits count per address: each request has another one, as if behind a proxy.
function shop.address()
  return string.format("10.%d.%d.%d", math.random(0, 255), math.random(0, 255), math.random(1, 254))
end

function shop.setup(thread)
  -- A seed of its own for each run: the same seed would send the same idempotency keys.
  thread:set("seed", milliseconds() * 1000 + #threads)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

-- So many requests a second from this thread, at even distances. wrk asks `delay` before each request
-- of each connection; a late request is sent at once, so that the rate holds on average. Call it
-- from `init`: wrk checks afterwards whether there is a `delay`, and one that returns 0 would cost a
-- millisecond each time.
function shop.pace(rate)
  local next_at = milliseconds()
  function _G.delay()
    next_at = next_at + 1000 / rate
    return math.max(0, math.floor(next_at - milliseconds()))
  end
end

-- Counts answers by status; a global of each thread, read by `done`.
function shop.count(status)
  local name = "status_" .. status
  _G[name] = (_G[name] or 0) + 1
end

local STATUSES = { 200, 201, 202, 302, 304, 400, 403, 404, 409, 422, 429, 500, 502, 503 }

-- `timed`: the name of a global of the threads with durations in milliseconds, blanks between.
function shop.done(summary, latency, timed)
  local statuses = {}
  for _, status in ipairs(STATUSES) do
    local sum = 0
    for _, thread in ipairs(threads) do sum = sum + (thread:get("status_" .. status) or 0) end
    if sum > 0 then table.insert(statuses, string.format('"%d": %d', status, sum)) end
  end
  local durations = {}
  for _, thread in ipairs(threads) do
    for duration in (timed and thread:get(timed) or ""):gmatch("%S+") do
      table.insert(durations, duration)
    end
  end
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.3f, "p50_ms": %.2f, "p95_ms": %.2f, "p99_ms": %.2f,'
      .. ' "max_ms": %.2f, "connect_errors": %d, "read_errors": %d, "timeouts": %d,'
      .. ' "statuses": {%s},'
      .. ' "durations": [%s]}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    summary.errors.connect, summary.errors.read + summary.errors.write, summary.errors.timeout,
    table.concat(statuses, ", "), table.concat(durations, ", ")))
end

return shop
