"""The calls of a cart."""

from apps.api.contract.cart import Cart, CartLineBody, NewCart, PromoBody, ShippingMethod
from apps.api.contract.refused import ShortStock
from apps.api.openapi.call import NOT_FOUND, call
from apps.api.openapi.parameters import CART_TOKEN, COUNTRY, query

DESTINATION = (
    query("country", "ISO 3166-1 alpha-2; with it the totals have tax", COUNTRY),
    query("region", "state or province", {"type": "string", "maxLength": 100}),
    query(
        "shipping_method",
        "a method's code; with it the totals have shipping",
        {"type": "string", "maxLength": 40, "pattern": "^[A-Za-z0-9_-]*$"},
    ),
)
NEW_CART = call(
    "new_cart",
    "Open a cart",
    {201: NewCart},
    writes=True,
    idempotent=True,
    tag="carts",
    parameters=(CART_TOKEN,),
    description=(
        "A new cart for a guest; for a customer the open cart of the account, with what was in the"
        " guest's cart of `X-Cart-Token`."
    ),
)
CART = call(
    "cart",
    "A cart with its current price",
    {200: Cart},
    tag="carts",
    problems={400: "`invalid`", **NOT_FOUND, 503: "`overloaded`"},
    parameters=(CART_TOKEN, *DESTINATION),
)
CART_LINE = call(
    "set_cart_line",
    "Set a line's quantity; 0 removes it",
    {200: Cart},
    tag="carts",
    body=CartLineBody,
    problems={
        404: "`not_found`, `unknown_sku`",
        409: (
            "`insufficient_stock` and `quantity_limit` with `available`, `too_many_lines`,"
            " `cart_closed` (it is being ordered, and the request would take something out)"
        ),
    },
    refusals={409: ShortStock},
    parameters=(CART_TOKEN,),
)
CART_PROMO = call(
    "set_cart_promo",
    "Put a promo code into the cart",
    {200: Cart},
    tag="carts",
    body=PromoBody,
    problems={
        400: "`promo_invalid`, `promo_expired`, `promo_exhausted`, `promo_not_applicable`",
        409: "`promo_used`: this customer has used it",
        **NOT_FOUND,
    },
    parameters=(CART_TOKEN,),
)
CART_PROMO_REMOVED = call(
    "remove_cart_promo",
    "Remove the promo codes",
    {200: Cart},
    writes=True,
    tag="carts",
    problems=NOT_FOUND,
    parameters=(CART_TOKEN,),
)
SHIPPING_METHODS = call(
    "shipping_methods",
    "Ways to ship this cart",
    {200: list[ShippingMethod]},
    tag="carts",
    problems={400: "`invalid`: no country", **NOT_FOUND},
    parameters=(CART_TOKEN, query("country", "ISO 3166-1 alpha-2", COUNTRY, required=True)),
)
