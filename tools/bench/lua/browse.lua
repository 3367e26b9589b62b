-- Reading: paths=/,/search/?q=mug (one at random), rate=N requests a second (without it: as fast
-- as they are answered), cookie=NAME=VALUE (of a visitor with a session).

package.path = "tools/bench/lua/?.lua;" .. package.path
local shop = require("shop")

local requests = {}

function setup(thread) shop.setup(thread) end

function init(args)
  local given = shop.arguments(args, "paths rate cookie")
  math.randomseed(seed)
  for path in given.paths:gmatch("[^,]+") do
    table.insert(requests, wrk.format("GET", path, given.cookie and { Cookie = given.cookie }))
  end
  if given.rate then shop.pace(tonumber(given.rate)) end
end

function request() return requests[math.random(#requests)] end

function response(status) shop.count(status) end

function done(summary, latency) shop.done(summary, latency) end
