/**
 * An app on the generated TypeScript types: buys, pays by 3-D Secure, cancels, gives back.
 *
 *     node built/buy.js shop URL SLUG              opens an account, buys thrice, prints the orders
 *     node built/buy.js give-back URL ORDER ACCESS gives one unit of a delivered order back
 *
 * It knows the shop only by what was generated from its schema (schema.d.ts), and is checked by
 * `tsc --strict`. tests/clients/test_clients.py runs it.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Shop = Client<paths>;
type Schemas = components["schemas"];

const PATIENCE = 90_000; // milliseconds
const PLAIN = "pm_card_visa";
const ASKS_THE_BANK = "pm_card_threeDSecure2Required";
const ADDRESS = {
  name: "Alice Archer",
  line1: "12 Pine Street",
  city: "Portland",
  region: "OR",
  postal_code: "97201",
  country: "US",
} as const;

/** The answer's data, which must be there: a problem ends the program. */
function got<T>(answer: { data?: T; error?: unknown }): NonNullable<T> {
  assert.ok(answer.data, JSON.stringify(answer.error));
  return answer.data;
}

const key = () => ({ "Idempotency-Key": randomUUID() });

/** An access token. The request is sent twice on purpose: it opens one account. */
async function newAccount(url: string): Promise<string> {
  const shop: Shop = createClient<paths>({ baseUrl: url });
  const asked = {
    params: { header: key() },
    body: { email: `${randomUUID()}@example.com`, password: `slow-${randomUUID()}` },
  };
  const first = got(await shop.POST("/api/v1/auth/register/", asked));
  const again = await shop.POST("/api/v1/auth/register/", asked);
  assert.deepEqual(got(again), first);
  assert.equal(again.response.headers.get("Idempotent-Replayed"), "true");
  return first.access;
}

function signedIn(url: string, access: string): Shop {
  return createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${access}` } });
}

/** An order of one SKU, through a cart and the cheapest way to ship it. */
async function buy(
  shop: Shop, sku: string, card: string, quantity: number,
): Promise<Schemas["AcceptedOrder"]> {
  const cart = got(await shop.POST("/api/v1/carts/", { params: { header: key() } })).id;
  const filled = got(
    await shop.PUT("/api/v1/carts/{cart_id}/lines/{sku}/", {
      params: { path: { cart_id: cart, sku } },
      body: { quantity },
    }),
  );
  assert.equal(filled.lines[0]?.quantity, quantity);
  const ways = got(
    await shop.GET("/api/v1/carts/{cart_id}/shipping-methods/", {
      params: { path: { cart_id: cart }, query: { country: "US" } },
    }),
  );
  const [way] = [...ways].sort((a, b) => Number(a.price.amount) - Number(b.price.amount));
  assert.ok(way);
  const placed = await shop.POST("/api/v1/checkouts/", {
    params: { header: key() },
    body: {
      cart,
      email: "alice@example.com",
      shipping_address: ADDRESS,
      shipping_method: way.code,
      payment_method: card,
    },
  });
  return got(placed).order;
}

/** The order's status, once it is `wanted`. */
async function waitFor(shop: Shop, id: string, wanted: string): Promise<Schemas["OrderStatus"]> {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const path = { order_id: id };
    const status = got(await shop.GET("/api/v1/orders/{order_id}/status/", { params: { path } }));
    if (status.status === wanted) return status;
    assert.ok(Date.now() < until, JSON.stringify(status));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Go to the bank, as the order says, and press its button. */
async function approve(status: Schemas["OrderStatus"]): Promise<void> {
  assert.equal(status.next_action?.["type"], "redirect");
  const answer = await fetch(String(status.next_action["url"]), {
    method: "POST",
    body: new URLSearchParams({ decision: "approve" }),
  });
  assert.equal(answer.status, 200);
}

/** Three orders: one paid by card, one after the bank has asked, one cancelled. */
async function buyThrice(url: string, slug: string): Promise<Record<string, string>> {
  const access = await newAccount(url);
  const shop = signedIn(url, access);
  const product = got(await shop.GET("/api/v1/products/{slug}/", { params: { path: { slug } } }));
  const sku = product.variants[0]?.sku;
  assert.ok(sku);

  const plain = await buy(shop, sku, PLAIN, 2);
  await waitFor(shop, plain.id, "CONFIRMED");

  const asked = await buy(shop, sku, ASKS_THE_BANK, 1);
  await approve(await waitFor(shop, asked.id, "REQUIRES_ACTION"));
  await waitFor(shop, asked.id, "CONFIRMED");

  const cancelled = await buy(shop, sku, PLAIN, 1);
  const path = { order_id: cancelled.id };
  const pending = got(
    await shop.POST("/api/v1/orders/{order_id}/cancel/", { params: { path, header: key() } }),
  );
  assert.equal(pending.cancel_requested, true);
  await waitFor(shop, cancelled.id, "CANCELLED");
  const after = got(await shop.GET("/api/v1/orders/{order_id}/", { params: { path } }));
  assert.equal(after.cancel_requested, false);
  return { access, plain: plain.id, asked: asked.id, cancelled: cancelled.id };
}

/** Announce that one unit of the order comes back; sent twice, announced once. */
async function giveBack(url: string, id: string, access: string): Promise<Record<string, string>> {
  const shop = signedIn(url, access);
  const path = { order_id: id };
  const order = got(await shop.GET("/api/v1/orders/{order_id}/", { params: { path } }));
  const sku = order.lines[0]?.sku;
  assert.ok(sku);
  const asked = {
    params: { path, header: key() },
    body: { lines: [{ sku, quantity: 1 }], reason: "too small" },
  };
  const first = got(await shop.POST("/api/v1/orders/{order_id}/returns/", asked));
  assert.deepEqual(got(await shop.POST("/api/v1/orders/{order_id}/returns/", asked)), first);
  return { return: first.id, state: first.state };
}

const [command, url = "", ...more] = process.argv.slice(2);
const [first = "", second = ""] = more;
const done = command === "shop" ? buyThrice(url, first) : giveBack(url, first, second);
console.log(JSON.stringify(await done));
