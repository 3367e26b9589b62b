"""An app on the generated Python client: buys, pays by 3-D Secure, cancels, gives back.

    python buy.py shop URL SLUG                opens an account, buys thrice, prints the orders
    python buy.py give-back URL ORDER ACCESS   gives one unit of a delivered order back

It knows the shop only by what was generated from its schema (package `storefront_client`), and is
checked by `mypy --strict` together with it. tests/clients/test_clients.py runs it.
"""

import json
import sys
import time
from typing import TypeVar
from uuid import UUID, uuid4

import httpx
from storefront_client import AuthenticatedClient, Client
from storefront_client.api.auth import register
from storefront_client.api.carts import new_cart, set_cart_line, shipping_methods
from storefront_client.api.catalog import product
from storefront_client.api.checkout import place_order
from storefront_client.api.orders import cancel_order, order, order_status, return_order
from storefront_client.models.accepted import Accepted
from storefront_client.models.cart import Cart
from storefront_client.models.new_cart import NewCart
from storefront_client.models.order import Order
from storefront_client.models.order_status import OrderStatus
from storefront_client.models.place_order_body import PlaceOrderBody
from storefront_client.models.product_detail import ProductDetail
from storefront_client.models.register_body import RegisterBody
from storefront_client.models.registered import Registered
from storefront_client.models.return_ import Return
from storefront_client.models.return_order_body import ReturnOrderBody
from storefront_client.models.set_cart_line_body import SetCartLineBody
from storefront_client.models.shipping_methods_country import ShippingMethodsCountry

PATIENCE = 90.0  # seconds
PLAIN, ASKS_THE_BANK = "pm_card_visa", "pm_card_threeDSecure2Required"
ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
}
T = TypeVar("T")


def got(kind: type[T], answer: object) -> T:
    """The answer, which must be of this kind and no problem."""
    assert isinstance(answer, kind), answer
    return answer


def new_account(base_url: str) -> str:
    """An access token. The request is sent twice on purpose: it opens one account."""
    body = RegisterBody(f"{uuid4()}@example.com", password=f"slow-{uuid4()}")
    key = str(uuid4())
    with Client(base_url=base_url, timeout=httpx.Timeout(60)) as client:
        first = got(Registered, register.sync(client=client, body=body, idempotency_key=key))
        again = got(Registered, register.sync(client=client, body=body, idempotency_key=key))
    assert again == first
    return first.access


def signed_in(base_url: str, access: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=base_url, token=access, timeout=httpx.Timeout(60))


def filled_cart(client: AuthenticatedClient, sku: str, quantity: int) -> UUID:
    """The id of a cart with so many units."""
    cart = got(NewCart, new_cart.sync(client=client, idempotency_key=str(uuid4())))
    line = SetCartLineBody(quantity)
    filled = got(Cart, set_cart_line.sync(cart.id, sku, client=client, body=line))
    assert filled.lines[0].quantity == quantity
    return cart.id


def buy(client: AuthenticatedClient, sku: str, *, card: str, quantity: int = 1) -> Accepted:
    """An order of one SKU, through a cart and the cheapest way to ship it."""
    cart_id = filled_cart(client, sku, quantity)
    ways = shipping_methods.sync(cart_id, client=client, country=ShippingMethodsCountry.US)
    way = min(got(list, ways), key=lambda each: float(each.price.amount))
    body = PlaceOrderBody.from_dict(
        {
            "cart": str(cart_id),
            "email": "alice@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": way.code,
            "payment_method": card,
        }
    )
    placed = place_order.sync(client=client, body=body, idempotency_key=str(uuid4()))
    return got(Accepted, placed)


def wait_for(client: AuthenticatedClient, placed: Accepted, *wanted: str) -> OrderStatus:
    """The order's status, once it is one of these."""
    until = time.monotonic() + PATIENCE
    while True:
        status = got(OrderStatus, order_status.sync(placed.order.id, client=client))
        if str(status.status) in wanted:
            return status
        assert time.monotonic() < until, status
        time.sleep(0.2)


def approve(status: OrderStatus) -> None:
    """Go to the bank, as the order says, and press its button."""
    assert status.next_action is not None
    action = status.next_action.to_dict()
    assert action["type"] == "redirect"
    answer = httpx.post(
        action["url"], data={"decision": "approve"}, follow_redirects=True, timeout=60
    )
    assert answer.status_code == 200, answer.text


def shop(base_url: str, slug: str) -> dict[str, str]:
    """Three orders: one paid by card, one after the bank has asked, one cancelled."""
    access = new_account(base_url)
    with signed_in(base_url, access) as client:
        sku = got(ProductDetail, product.sync(slug, client=client)).variants[0].sku
        plain = buy(client, sku, card=PLAIN, quantity=2)
        wait_for(client, plain, "CONFIRMED")
        asked = buy(client, sku, card=ASKS_THE_BANK)
        approve(wait_for(client, asked, "REQUIRES_ACTION"))
        wait_for(client, asked, "CONFIRMED")
        cancelled = buy(client, sku, card=PLAIN)
        key = str(uuid4())
        pending = cancel_order.sync(cancelled.order.id, client=client, idempotency_key=key)
        assert got(Order, pending).cancel_requested
        wait_for(client, cancelled, "CANCELLED")
        found = got(Order, order.sync(cancelled.order.id, client=client))
        assert not found.cancel_requested
    orders = {"plain": plain, "asked": asked, "cancelled": cancelled}
    return {"access": access} | {name: str(each.order.id) for name, each in orders.items()}


def give_back(base_url: str, order_id: str, access: str) -> dict[str, str]:
    """Announce that one unit of the order comes back; sent twice, announced once."""
    with signed_in(base_url, access) as client:
        bought = got(Order, order.sync(UUID(order_id), client=client))
        body = ReturnOrderBody.from_dict(
            {"lines": [{"sku": bought.lines[0].sku, "quantity": 1}], "reason": "too small"}
        )
        key = str(uuid4())
        first, second = (
            got(
                Return,
                return_order.sync(bought.id, client=client, body=body, idempotency_key=key),
            )
            for _ in range(2)
        )
        assert first == second
    return {"return": str(first.id), "state": str(first.state)}


if __name__ == "__main__":
    command, url, *more = sys.argv[1:]
    print(json.dumps(shop(url, *more) if command == "shop" else give_back(url, *more)))
