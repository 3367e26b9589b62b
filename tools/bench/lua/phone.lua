-- What a phone sends to the API. call=product, open, line, cart, methods or order: that call, again
-- and again. call=purchase: all of them in their order; run it with as many threads as connections,
-- because a thread knows of one purchase only.
--
-- skus=A,B or skus=A-..N (checkout.lua), carts=FILE with "id token" a line: any of them, and of
-- call=order each one once; tokens=FILE with a JWT a line: purchases of signed-in customers, and
-- shoppers=N how many of them there are: each customer is one shopper's, or two would order one cart.

package.path = "tools/bench/lua/?.lua;" .. package.path
local shop = require("shop")

local skus, carts, tokens, call, next_cart = {}, {}, {}, "", 0
local at, sku, cart, member, began = 0, "", nil, nil, 0
took = ""  -- of each purchase, milliseconds; global: `done` reads it from each thread

function setup(thread) shop.setup(thread) end

function init(args)
  local given = shop.arguments(args, "call skus carts tokens shoppers")
  math.randomseed(seed)
  call, skus = given.call, shop.skus(given.skus)
  if given.carts then
    for id, token in io.open(given.carts):read("*a"):gmatch("(%S+) (%S+)") do
      table.insert(carts, { id = id, token = token })
    end
  end
  if given.tokens then
    local line = 0
    for token in io.lines(given.tokens) do
      line = line + 1
      if line % tonumber(given.shoppers) == number then table.insert(tokens, token) end
    end
  end
end

local function headers(more)
  local sent = more or {}
  sent["X-Forwarded-For"] = shop.address()
  if member then
    sent["Authorization"] = "Bearer " .. member
  elseif cart then
    sent["X-Cart-Token"] = cart.token
  end
  return sent
end

local function with_body(method, path, body, more)
  local sent = headers(more)
  sent["Content-Type"] = "application/json"
  return wrk.format(method, path, sent, body)
end

local calls = {
  product = function()
    return wrk.format("GET", "/api/v1/products/" .. sku:lower() .. "/", headers())
  end,
  open = function() return with_body("POST", "/api/v1/carts/", "{}") end,
  line = function()
    local path = "/api/v1/carts/" .. cart.id .. "/lines/" .. sku .. "/"
    return with_body("PUT", path, string.format('{"quantity": %d}', math.random(1, 3)))
  end,
  cart = function() return wrk.format("GET", "/api/v1/carts/" .. cart.id .. "/", headers()) end,
  methods = function()
    local path = "/api/v1/carts/" .. cart.id .. "/shipping-methods/?country=US"
    return wrk.format("GET", path, headers())
  end,
  order = function()
    return with_body("POST", "/api/v1/checkouts/", string.format(
      '{"cart": "%s", "email": "buyer%d@example.com", "shipping_address": {"name": "Alice Archer",'
        .. ' "line1": "12 Pine Street", "city": "Portland", "region": "OR",'
        .. ' "postal_code": "97201", "country": "US"}, "shipping_method": "standard",'
        .. ' "payment_method": "pm_card_visa"}',
      cart.id, math.random(1000000)), { ["Idempotency-Key"] = shop.key() })
  end,
}

-- Asked once before the beginning as well: only an answer goes on to the next step.
local steps = { "product", "open", "line", "methods", "order" }

local function purchase()
  if at == 0 then
    at, cart = 1, nil
    sku = skus[math.random(#skus)]
    member = #tokens > 0 and tokens[math.random(#tokens)] or nil
    began = shop.now()
  end
  return calls[steps[at]]()
end

function request()
  if call == "purchase" then return purchase() end
  sku = skus[math.random(#skus)]
  if call == "order" then
    next_cart = next_cart % #carts + 1
    cart = carts[next_cart]
  elseif #carts > 0 then
    cart = carts[math.random(#carts)]
  end
  return calls[call]()
end

function response(status, answer_headers, body)
  shop.count(status)
  if call ~= "purchase" then return end
  if status >= 400 then
    at = 0  -- it is counted, and the shopper begins again
    return
  end
  if steps[at] == "open" then
    cart = { id = body:match('"id":"([^"]+)"'), token = body:match('"token":"([^"]+)"') }
  elseif steps[at] == "order" then
    took = took .. string.format("%.1f ", shop.now() - began)
  end
  at = (at + 1) % (#steps + 1)
end

function done(summary, latency) shop.done(summary, latency, "took") end
