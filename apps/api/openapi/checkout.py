"""The call that places an order."""

from drf_spectacular.utils import OpenApiExample

from apps.api.contract.address import EXAMPLE_ADDRESS
from apps.api.contract.checkout import Accepted, CheckoutBody
from apps.api.contract.refused import CheckoutConflict, MustWait
from apps.api.openapi.call import call
from apps.api.openapi.parameters import (
    CART_TOKEN,
    REPLAYED,
    REQUIRED_KEY,
    WAITING_TICKET,
    header,
)

_ORDER_ID = "0199a3c2-7a10-7c3e-9d51-2f6f3f0c8e11"
_TOKEN = "3f6c1de0b7a54a0c9a17be22f60d54e1c0a9d7f4"  # noqa: S105  (an example)
_HOST = "https://shop.example"
EXAMPLES = [
    OpenApiExample(
        "Buy now",
        request_only=True,
        value={
            "lines": [{"sku": "KP-MUG-PINE", "quantity": 2}],
            "promo_code": "SLOWMORNING",
            "email": "alice@example.com",
            "shipping_address": EXAMPLE_ADDRESS,
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        },
    ),
    OpenApiExample(
        "From a cart",
        request_only=True,
        value={
            "cart": "0199a3c1-0d2e-7b55-8f0a-51b2a7d3c9ee",
            "email": "alice@example.com",
            "shipping_address": EXAMPLE_ADDRESS,
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
            "expected_total": {"amount": "41.99", "currency": "USD"},
        },
    ),
    OpenApiExample(
        "Accepted",
        response_only=True,
        status_codes=["202"],
        value={
            "order": {
                "id": _ORDER_ID,
                "number": "KP-7F3K2M",
                "status": "PENDING",
                "total": {"amount": "41.99", "currency": "USD"},
                "token": _TOKEN,
            },
            "links": {
                "self": f"{_HOST}/api/v1/orders/{_ORDER_ID}/",
                "status": f"{_HOST}/api/v1/orders/{_ORDER_ID}/status/",
                "events": f"{_HOST}/api/v1/orders/{_ORDER_ID}/events/",
                "websocket": f"wss://shop.example/ws/orders/{_ORDER_ID}/?token={_TOKEN}",
            },
            "queue": {"position": 0, "estimated_wait_seconds": 2},
        },
    ),
    OpenApiExample(
        "Sold out",
        response_only=True,
        status_codes=["409"],
        media_type="application/problem+json",
        value={
            "type": "urn:storefront:problem:out_of_stock",
            "title": "Conflict",
            "status": 409,
            "detail": "Some of this is no longer in stock. Nothing was ordered.",
            "code": "out_of_stock",
            "errors": [
                {
                    "field": "KP-MUG-PINE",
                    "code": "out_of_stock",
                    "message": "Only 1 left.",
                    "available": 1,
                }
            ],
        },
    ),
]
PLACE_ORDER = call(
    "place_order",
    "Place an order",
    {202: Accepted},
    tag="checkout",
    body=CheckoutBody,
    description=(
        "Answers 202 once the order is durable and its stock is held; payment follows. Send the"
        " same `Idempotency-Key` with the same body again whenever an answer was lost: it makes no"
        " second order and answers what it answered (`Idempotent-Replayed: true`).\n\n"
        "Either `cart`, or `lines` (with `promo_code`) to buy now. `payment_method` is a token of"
        " the payment provider; a body with card data in it is refused. With `expected_total` the"
        " order is only made at that total."
    ),
    problems={
        400: (
            "`idempotency_key_missing`, `idempotency_key_invalid`, `invalid` with `errors`,"
            " `region_unknown`,"
            " `promo_invalid`, `promo_expired`, `promo_not_applicable`, `malformed_body`,"
            " `card_data_refused`"
        ),
        404: "`not_found`: the cart is not yours",
        409: (
            "`out_of_stock` with `errors[{field: sku, available}]`, `price_changed` with `quote`,"
            " `quantity_limit` and `customer_limit` with `errors[{field: sku, available}]`,"
            " `promo_exhausted`, `promo_used`, `below_minimum` with `minimum` (no card can be"
            " charged so little), `cart_already_ordered` with `order`,"
            " `idempotency_in_flight` with"
            " Retry-After"
        ),
        422: "`idempotency_key_reused`: same key, other body",
        429: (
            "`rate_limited`; `too_many_unpaid`; `waiting_room` with `waiting_room{ticket,"
            " position, estimated_wait_seconds}` while a flash sale has a queue; with Retry-After"
        ),
        503: "`overloaded`, `outcome_unknown`, with Retry-After",
    },
    refusals={409: CheckoutConflict, 429: MustWait},
    parameters=(REQUIRED_KEY, CART_TOKEN, WAITING_TICKET),
    headers={202: (header("Location", "the order", required=True), REPLAYED)},
    examples=EXAMPLES,
)
