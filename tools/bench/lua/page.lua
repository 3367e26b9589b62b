-- Whole purchases by pages without JavaScript: product, add, cart, checkout, address, place. Run it
-- with as many threads as connections, because a thread knows of one shopper only.
--
-- skus=A,B,C (one at random a purchase; goods without options). A purchase is counted as 302, the
-- other steps as 200, and whatever was not expected as what it was.

package.path = "tools/bench/lua/?.lua;" .. package.path
local shop = require("shop")

local skus, cookies, at, slug, address, form = {}, {}, 1, "", "", {}

function setup(thread) shop.setup(thread) end

function init(args)
  local given = shop.arguments(args, "skus")
  math.randomseed(seed)
  for sku in given.skus:gmatch("[^,]+") do table.insert(skus, sku:lower()) end
end

local function sent(method, path, fields)
  local jar = {}
  for name, value in pairs(cookies) do table.insert(jar, name .. "=" .. value) end
  local headers = { ["X-Forwarded-For"] = address }
  if #jar > 0 then headers["Cookie"] = table.concat(jar, "; ") end
  if not fields then return wrk.format(method, path, headers) end
  headers["Content-Type"] = "application/x-www-form-urlencoded"
  headers["Sec-Fetch-Site"] = "same-origin"
  local body = {}
  for name, value in pairs(fields) do
    local escaped = tostring(value):gsub("[^%w]", function(c) return string.format("%%%02X", c:byte()) end)
    table.insert(body, name .. "=" .. escaped)
  end
  return wrk.format(method, path, headers, table.concat(body, "&"))
end

local function filled(more)
  local fields = {
    email = "buyer" .. math.random(1000000) .. "@example.com", name = "Alice Archer",
    line1 = "12 Pine Street", line2 = "", city = "Portland", region = "OR",
    postal_code = "97201", phone = "", country = "US",
    shipping_method = "standard", payment_method = "pm_card_visa",
    csrfmiddlewaretoken = form.csrfmiddlewaretoken, key = form.key, cart = form.cart,
    expected_total = form.expected_total,
  }
  for name, value in pairs(more or {}) do fields[name] = value end
  return fields
end

local steps = {
  { 200, function() return sent("GET", "/p/" .. slug .. "/") end },
  { 302, function()
    return sent("POST", "/p/" .. slug .. "/",
      { quantity = 1, csrfmiddlewaretoken = form.csrfmiddlewaretoken })
  end },
  { 200, function() return sent("GET", "/cart/") end },
  { 200, function() return sent("GET", "/checkout/") end },
  { 200, function() return sent("POST", "/checkout/", filled({ refresh = "delivery" })) end },
  { 302, function() return sent("POST", "/checkout/", filled()) end },
}

-- Asked once before the beginning as well: only an answer goes on to the next step.
function request()
  if at == 1 then
    cookies, form = {}, {}
    slug, address = skus[math.random(#skus)], shop.address()
  end
  return steps[at][2]()
end

-- Of several cookies in one answer wrk shows the last: the session's, or the form's.
local function remember(headers)
  for name, value in pairs(headers) do
    if name:lower() == "set-cookie" then
      local cookie, content = value:match("^([^=]+)=([^;]*)")
      cookies[cookie] = content
    end
  end
end

function response(status, headers, body)
  if status ~= steps[at][1] then
    shop.count(status == 302 and 404 or status)  -- 302 is a purchase
    at = 1
    return
  end
  shop.count(at == #steps and 302 or 200)
  remember(headers)
  for _, name in ipairs({ "csrfmiddlewaretoken", "key", "cart", "expected_total" }) do
    form[name] = body:match('name="' .. name .. '" value="([^"]*)"') or form[name]
  end
  at = at % #steps + 1
end

function done(summary, latency) shop.done(summary, latency) end
