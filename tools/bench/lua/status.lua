-- Statuses of orders: orders=ID:TOKEN,ID:TOKEN (one at random).

package.path = "tools/bench/lua/?.lua;" .. package.path
local shop = require("shop")

local requests = {}

function setup(thread) shop.setup(thread) end

function init(args)
  local given = shop.arguments(args, "orders")
  math.randomseed(seed)
  for id, token in given.orders:gmatch("([^,:]+):([^,]+)") do
    local headers = { ["X-Order-Token"] = token }
    table.insert(requests, wrk.format("GET", "/api/v1/orders/" .. id .. "/status/", headers))
  end
end

function request() return requests[math.random(#requests)] end

function response(status) shop.count(status) end

function done(summary, latency) shop.done(summary, latency) end
