-- Buy-now checkouts. skus=A,B,C or skus=A-..N for A-0001 to A-N (one at random a line), lines=N,
-- promo=CODE, tokens=FILE with a JWT a line (each order from one of them), rate=N checkouts begun a
-- second, evenly, as far as connections are free; without it each connection sends the next at once.

package.path = "tools/bench/lua/?.lua;" .. package.path
local shop = require("shop")

local skus, lines, promo, tokens = {}, 1, nil, {}

function setup(thread) shop.setup(thread) end

function init(args)
  local given = shop.arguments(args, "skus lines promo tokens rate")
  math.randomseed(seed)
  skus = shop.skus(given.skus)
  lines = tonumber(given.lines or 1)
  promo = given.promo
  if given.tokens then
    for token in io.lines(given.tokens) do table.insert(tokens, token) end
  end
  if given.rate then shop.pace(tonumber(given.rate)) end
end

local function bought()
  local found, first = {}, math.random(#skus)
  for i = 1, lines do
    local sku = skus[(first + i - 2) % #skus + 1]
    found[i] = string.format('{"sku": "%s", "quantity": 1}', sku)
  end
  return table.concat(found, ", ")
end

function request()
  local body = string.format(
    '{"lines": [%s], %s"email": "buyer%d@example.com", "shipping_address": {"name": "Alice Archer",'
      .. ' "line1": "12 Pine Street", "city": "Portland", "region": "OR", "postal_code": "97201",'
      .. ' "country": "US"}, "shipping_method": "standard", "payment_method": "pm_card_visa"}',
    bought(), promo and string.format('"promo_code": "%s", ', promo) or "", math.random(1000000))
  local headers = {
    ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = shop.key(),
    ["X-Forwarded-For"] = shop.address(),
  }
  if #tokens > 0 then headers["Authorization"] = "Bearer " .. tokens[math.random(#tokens)] end
  return wrk.format("POST", "/api/v1/checkouts/", headers, body)
end

function response(status) shop.count(status) end

function done(summary, latency) shop.done(summary, latency) end
