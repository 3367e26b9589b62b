"""A shop with data for every address, and the ids, tokens and bodies that reach it.

Without them a fuzzer gets only 404s: no random UUID is a cart, no random body an order.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from apps.api.auth import tokens_for
from apps.cart import carts
from apps.flash_sales import active_sales
from apps.orders import tokens
from tests.factories import (
    ADDRESS,
    PASSWORD,
    AddressFactory,
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    PromoFactory,
    SagaFactory,
    ShipmentFactory,
    a_flash_sale,
    a_mug,
    a_sales_tax,
    make_alice,
    ship_everywhere,
    sold_out_mug,
)


@dataclass(frozen=True)
class SeededShop:
    """Values for parameters by name, credentials by kind of shopper, and bodies by operation."""

    parameters: dict[str, list[Any]]
    credentials: dict[str, dict[str, str]]
    bodies: dict[str, list[dict[str, Any]]]


def seed_shop() -> SeededShop:
    alice = make_alice()
    ship_everywhere(price=599)
    a_sales_tax(region="WA")
    mug, sold_out = a_mug(stock=500), sold_out_mug()
    rush = a_mug(stock=2)
    PromoFactory(code="MORNING")
    sale = a_flash_sale(rush, slug="rush", waiting_room=True)
    active_sales.forget()
    cart = carts.create_guest()
    carts.set_line(cart, mug.sku, 2)
    of_alice = carts.of_user(alice)
    book = [AddressFactory(user=alice).pk for _ in range(2)]
    orders = [an_order(status) for status in ("PENDING", "CONFIRMED", "SHIPPED", "DELIVERED")]
    own = an_order("DELIVERED", user=alice)
    buy_now = {
        "lines": [{"sku": mug.sku, "quantity": 1}],
        "promo_code": "MORNING",
        "email": "alice@example.com",
        "shipping_address": dict(ADDRESS),
        "billing_address": dict(ADDRESS),
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
        "expected_total": {"amount": "1.00", "currency": "USD"},
    }
    from_cart = {**buy_now, "lines": None, "promo_code": None, "cart": str(cart.id)}
    tokens_of_alice = tokens_for(alice)
    return SeededShop(
        parameters={
            "cart_id": [str(cart.id), str(of_alice.id), str(uuid.uuid4())],
            "sku": [mug.sku, sold_out.sku, rush.sku, "a/b"],
            "order_id": [str(order.pk) for order in (*orders, own)],
            "address_id": [*book, 2**31, 2**63],
            "slug": [mug.product.slug, sold_out.product.slug, sale.slug],
            "country": ["US", "de", "XX"],
            "category": [mug.product.category.slug],
            "page_size": [1, 100],
            "search": ["mug", "mu"],
        },
        credentials={
            "guest": {
                "X-Cart-Token": cart.token or "",
                "X-Order-Token": tokens.order_token(orders[-1].pk),
            },
            "alice": {"Authorization": f"Bearer {tokens_of_alice['access']}"},
        },
        bodies={
            "place_order": [
                {name: value for name, value in body.items() if name not in without}
                for body in (
                    buy_now,
                    from_cart,
                    {**buy_now, "lines": [{"sku": rush.sku, "quantity": 1}]},
                    {**buy_now, "lines": [{"sku": sold_out.sku, "quantity": 1}]},
                )
                for without in ((), ("expected_total",), ("expected_total", "promo_code"))
            ],
            "set_cart_line": [{"quantity": 1}, {"quantity": 999}],
            "set_cart_promo": [{"code": "morning"}, {"code": "NOPE"}],
            "request_return": [],
            "return_order": [{"lines": [{"sku": "MUG", "quantity": 1}], "reason": "too small"}],
            "token": [{"email": "alice@example.com", "password": PASSWORD}],
            "token_refresh": [{"refresh": tokens_of_alice["refresh"]}],
            "register": [{"email": "carol@example.com", "password": "slow-morning-9"}],
            "change_me": [{"name": "Alice"}],
            "new_address": [dict(ADDRESS)],
            "replace_address": [dict(ADDRESS)],
            "change_address": [{"city": "Salem"}, {"is_default": True}],
        },
    )


def an_order(status: str, **fields: Any) -> Any:
    order = OrderFactory(status=status, **fields)
    OrderLineFactory(order=order, sku="MUG", quantity=2, unit_amount=900)
    OrderEventFactory(order=order, status=status)
    SagaFactory(order=order)
    if status in ("SHIPPED", "DELIVERED"):
        ShipmentFactory(order_id=order.pk)
    return order
