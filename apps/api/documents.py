"""What the API answers, for its OpenAPI schema: documents, examples, and which problems a call has.

Only described here: documents are made where their resource lives. tests/api/test_schema.py holds
real answers against these descriptions, so that neither can move alone.
"""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers as s

from apps.api import bodies
from apps.api.shapes import Shape

# --- Documents ----------------------------------------------------------------------------------


class Money(s.Serializer):
    amount = s.RegexField(r"^-?\d+(\.\d+)?$", help_text="a decimal string")
    currency = s.CharField(help_text="ISO 4217")


class FieldProblem(s.Serializer):
    field = s.CharField(help_text="what is at fault; for out_of_stock the SKU")
    code = s.CharField()
    message = s.CharField()
    available = s.IntegerField(required=False, help_text="units left, where stock is at fault")


class Problem(s.Serializer):
    """RFC 9457. `code` is stable, `detail` is for people."""

    type = s.CharField()
    title = s.CharField()
    status = s.IntegerField()
    detail = s.CharField()
    code = s.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]


class Totals(s.Serializer):
    subtotal = Money()
    discount = Money()
    shipping = Money()
    tax = Money()
    total = Money()


class CartLine(s.Serializer):
    sku = s.CharField()
    name = s.CharField()
    quantity = s.IntegerField()
    unit_price = Money(allow_null=True, help_text="null: no longer sold")
    line_total = Money(allow_null=True)
    available = s.IntegerField(help_text="what could be bought now")


class CartProblem(s.Serializer):
    sku = s.CharField(allow_null=True)
    code = s.CharField()
    available = s.IntegerField(allow_null=True)
    message = s.CharField()
    promo_code = s.CharField(required=False)


class Cart(s.Serializer):
    id = s.UUIDField()
    lines = CartLine(many=True)
    totals = Totals()
    promo_codes = s.ListField(child=s.CharField())
    problems = CartProblem(many=True)


class NewCart(Cart):
    token = s.CharField(allow_null=True, help_text="for X-Cart-Token; null for owners")


class Days(s.Serializer):
    min = s.IntegerField()
    max = s.IntegerField()


class ShippingMethod(s.Serializer):
    code = s.CharField()
    name = s.CharField()
    price = Money()
    estimated_days = Days()


class AcceptedOrder(s.Serializer):
    id = s.UUIDField()
    number = s.CharField()
    status = s.CharField()
    total = Money()
    token = s.CharField(help_text="for X-Order-Token and the websocket")


class Links(s.Serializer):
    self = s.URLField()
    status = s.URLField()
    events = s.URLField()
    websocket = s.CharField()


class Place(s.Serializer):
    position = s.IntegerField(help_text="orders before this one")
    estimated_wait_seconds = s.IntegerField()


class SaleName(s.Serializer):
    slug = s.CharField()
    name = s.CharField()


class WaitingPlace(s.Serializer):
    sale = SaleName()
    ticket = s.CharField(help_text="for X-Waiting-Ticket")
    admitted = s.BooleanField(help_text="true: place the order with this ticket, for ten minutes")
    position = s.IntegerField(help_text="from 1; 0 when admitted")
    estimated_wait_seconds = s.IntegerField()


class Accepted(s.Serializer):
    order = AcceptedOrder()
    links = Links()
    queue = Place()


class OrderStatus(s.Serializer):
    """One move; also what the websocket sends."""

    id = s.UUIDField()
    number = s.CharField()
    status = s.CharField()
    seq = s.IntegerField()
    message = s.CharField()
    updated_at = s.DateTimeField()
    next_action = s.DictField(allow_null=True)


class OrderEvents(s.Serializer):
    results = OrderStatus(many=True)
    next = s.URLField(allow_null=True)
    previous = s.URLField(allow_null=True)


class OrderLine(s.Serializer):
    sku = s.CharField()
    name = s.CharField()
    quantity = s.IntegerField()
    unit_price = Money()
    line_total = Money()


class Shipment(s.Serializer):
    carrier = s.CharField()
    tracking_number = s.CharField()
    state = s.CharField()
    estimated_from = s.DateField()
    estimated_to = s.DateField()


class Address(s.Serializer):
    name = s.CharField()
    line1 = s.CharField()
    line2 = s.CharField()
    city = s.CharField()
    region = s.CharField()
    postal_code = s.CharField()
    country = s.CharField()
    phone = s.CharField()


class Order(OrderStatus):
    email = s.EmailField()
    placed_at = s.DateTimeField()
    lines = OrderLine(many=True)
    totals = Totals()
    total = Money()
    promo_codes = s.ListField(child=s.CharField())
    shipping_address = Address()
    billing_address = Address(allow_null=True)
    shipping_method = s.CharField()
    shipment = Shipment(allow_null=True)
    links = Links()


class OrderSummary(s.Serializer):
    id = s.UUIDField()
    number = s.CharField()
    status = s.CharField()
    total = Money()
    placed_at = s.DateTimeField()
    updated_at = s.DateTimeField()


class OrderPage(s.Serializer):
    results = OrderSummary(many=True)
    next = s.URLField(allow_null=True)
    previous = s.URLField(allow_null=True)


class ReturnLine(s.Serializer):
    sku = s.CharField()
    quantity = s.IntegerField()


class Return(s.Serializer):
    id = s.UUIDField()
    order = s.UUIDField()
    state = s.CharField()
    reason = s.CharField()
    created_at = s.DateTimeField()
    lines = ReturnLine(many=True)


class Product(s.Serializer):
    id = s.IntegerField()
    slug = s.CharField()
    name = s.CharField()
    price = Money()
    compare_at_price = Money(allow_null=True)
    image = s.CharField(allow_null=True)
    in_stock = s.BooleanField()
    category = s.CharField(help_text="the category's slug")


class ProductPage(s.Serializer):
    results = Product(many=True)
    next = s.URLField(allow_null=True)
    previous = s.URLField(allow_null=True)


class Image(s.Serializer):
    url = s.CharField()
    alt = s.CharField(allow_blank=True)


class Option(s.Serializer):
    name = s.CharField()
    values = s.ListField(child=s.CharField())


class Variant(s.Serializer):
    sku = s.CharField()
    name = s.CharField(allow_blank=True)
    price = Money()
    compare_at_price = Money(allow_null=True)
    available = s.IntegerField()
    options = s.DictField(child=s.CharField())


class ProductDetail(Product):
    description = s.CharField(allow_blank=True, help_text="cleaned HTML")
    images = Image(many=True)
    options = Option(many=True)
    variants = Variant(many=True)


class Category(s.Serializer):
    slug = s.CharField()
    name = s.CharField()
    children = s.ListField(child=s.DictField(), help_text="categories again")


class Profile(s.Serializer):
    id = s.IntegerField()
    email = s.EmailField()
    name = s.CharField(allow_blank=True)
    joined_at = s.DateTimeField()


class Tokens(s.Serializer):
    access = s.CharField()
    refresh = s.CharField()


class Registered(Tokens):
    id = s.IntegerField()
    email = s.EmailField()
    name = s.CharField(allow_blank=True)


class BookAddress(Address):
    id = s.IntegerField()
    is_default = s.BooleanField()


class AddressPage(s.Serializer):
    results = BookAddress(many=True)
    next = s.URLField(allow_null=True)
    previous = s.URLField(allow_null=True)


# --- How a call is described --------------------------------------------------------------------


def call(
    name: str,
    summary: str,
    answers: dict[int, Any],
    *,
    body: Shape | None = None,
    problems: dict[int, str] | None = None,
    parameters: tuple[OpenApiParameter, ...] = (),
    examples: list[OpenApiExample] | None = None,
    tag: str,
    public: bool = True,
    looks_who_asks: bool = True,
    writes: bool = False,
    description: str = "",
) -> dict[str, Any]:
    """Arguments of `extend_schema`. `problems` are status: the codes it can have.

    `public` calls work without signing in; those that do not look who asks take no notice of it.
    Whatever has a body `writes`.
    """
    responses: dict[Any, Any] = {
        status: OpenApiResponse(document, description="") for status, document in answers.items()
    }
    # What any call may answer: a NUL in its address, a token of yesterday, a database away.
    expected = {400: "`invalid`", 429: "`rate_limited`", 503: "`overloaded`, with Retry-After"}
    if looks_who_asks:
        expected[401] = "`authentication_failed`: the token or the account is not valid any more"
        if writes or body is not None:
            expected[403] = "`permission_denied`: a session without its CSRF token"
    if body is not None:
        expected |= {
            400: "`invalid` with `errors`, `malformed_body`, `card_data_refused`",
            413: "`too_large`",
            415: "`unsupported_media_type`",
        }
    expected |= problems or {}
    for status, codes in sorted(expected.items()):
        responses[status, "application/problem+json"] = OpenApiResponse(Problem, description=codes)
    described: dict[str, Any] = {
        "operation_id": name,
        "summary": summary,
        "description": description or summary,
        "request": {"application/json": body.schema()} if body is not None else None,
        "responses": responses,
        "tags": [tag],
        "parameters": list(parameters),
        "examples": examples or [],
    }
    # An empty alternative tells that the call works without signing in.
    if not looks_who_asks:
        described["auth"] = [{}]
    elif public:
        described["auth"] = [{}, {"jwtAuth": []}, {"cookieAuth": []}]
    return described


def query(name: str, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, more.pop("type", OpenApiTypes.STR), description=description, **more
    )


def header(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, required=required
    )


CURSOR = query("cursor", "from `next` or `previous`")
PAGE_SIZE = query("page_size", "1 to 100, usually 24", type=OpenApiTypes.INT)
CART_TOKEN = header("X-Cart-Token", "a guest's right to the cart")
ORDER_TOKEN = header("X-Order-Token", "a guest's right to the order")
WAITING_TICKET = header(
    "X-Waiting-Ticket", "the ticket of a flash sale's waiting room; several by comma"
)
IF_NONE_MATCH = header("If-None-Match", "the ETag of the last answer")
NOT_FOUND = {404: "`not_found`: none, or not yours"}

# --- Catalogue ----------------------------------------------------------------------------------

PRODUCTS = call(
    "products",
    "Browse and search products",
    {200: ProductPage},
    looks_who_asks=False,
    tag="catalogue",
    problems={400: "`invalid`: a parameter is not understood"},
    parameters=(
        query("search", "words in name, vendor, description"),
        query("category", "a category's slug; sub-categories count"),
        query("min_price", "decimal string"),
        query("max_price", "decimal string"),
        query("in_stock", "true: only what can be bought now", type=OpenApiTypes.BOOL),
        query(
            "ordering",
            "relevance only together with search, where it is the default",
            enum=["name", "price", "-price", "newest", "relevance"],
        ),
        CURSOR,
        PAGE_SIZE,
    ),
)
PRODUCT = call(
    "product",
    "One product with its variants",
    {200: ProductDetail},
    looks_who_asks=False,
    tag="catalogue",
    problems={404: "`not_found`"},
)
CATEGORIES = call(
    "categories",
    "The tree of categories",
    {200: Category(many=True)},
    looks_who_asks=False,
    tag="catalogue",
)

# --- Carts --------------------------------------------------------------------------------------

DESTINATION = (
    query("country", "ISO code; with it the totals have tax"),
    query("region", "state or province"),
    query("shipping_method", "a method's code; with it the totals have shipping"),
)
NEW_CART = call("new_cart", "Open a cart", {201: NewCart}, writes=True, tag="carts")
CART = call(
    "cart",
    "A cart with its price of this moment",
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
    body=bodies.CART_LINE,
    problems={
        404: "`not_found`, `unknown_sku`",
        409: "`insufficient_stock` with `available`, `too_many_lines`, `cart_closed`",
    },
    parameters=(CART_TOKEN,),
)
CART_PROMO = call(
    "set_cart_promo",
    "Put a promo code into the cart",
    {200: Cart},
    tag="carts",
    body=bodies.PROMO,
    problems={
        400: "`promo_invalid`, `promo_expired`, `promo_exhausted`, `promo_not_applicable`",
        **NOT_FOUND,
    },
    parameters=(CART_TOKEN,),
)
CART_PROMO_REMOVED = call(
    "remove_cart_promo",
    "Take promo codes out",
    {200: Cart},
    writes=True,
    tag="carts",
    problems=NOT_FOUND,
    parameters=(CART_TOKEN,),
)
SHIPPING_METHODS = call(
    "shipping_methods",
    "Ways to ship this cart",
    {200: ShippingMethod(many=True)},
    tag="carts",
    problems={400: "`invalid`: no country", **NOT_FOUND},
    parameters=(CART_TOKEN, query("country", "ISO 3166-1 alpha-2", required=True)),
)

# --- Checkout -----------------------------------------------------------------------------------

_ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
    "phone": "+1 503 555 0100",
}
_ORDER_ID = "0199a3c2-7a10-7c3e-9d51-2f6f3f0c8e11"
_TOKEN = "3f6c1de0b7a54a0c9a17be22f60d54e1c0a9d7f4"  # noqa: S105  (an example)
_HOST = "https://shop.example"
NO_ROOM = {404: "`not_found`: no sale of that name has a queue, or the ticket is not of it"}
TAKE_TICKET = call(
    "take_ticket",
    "Queue up for a flash sale",
    {201: WaitingPlace},
    looks_who_asks=False,
    tag="checkout",
    problems=NO_ROOM,
    description=(
        "First come, first served. Keep the ticket, look at your place every `Retry-After` seconds"
        " (who is not heard of for 45 seconds is passed over, and keeps her place), and order with"
        " it once `admitted` is true."
    ),
)
LOOK_AT_PLACE = call(
    "look_at_place",
    "Where one stands in the queue",
    {200: WaitingPlace},
    looks_who_asks=False,
    tag="checkout",
    problems=NO_ROOM,
    parameters=(
        header("X-Waiting-Ticket", "the ticket of this sale's waiting room", required=True),
    ),
)
PLACE_ORDER = call(
    "place_order",
    "Place an order",
    {202: Accepted},
    tag="checkout",
    body=bodies.CHECKOUT,
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
            " `promo_invalid`, `promo_expired`, `promo_not_applicable`, `malformed_body`,"
            " `card_data_refused`"
        ),
        404: "`not_found`: the cart is not yours",
        409: (
            "`out_of_stock` with `errors[{field: sku, available}]`, `price_changed` with `quote`,"
            " `promo_exhausted`, `cart_already_ordered` with `order`, `idempotency_in_flight` with"
            " Retry-After"
        ),
        422: "`idempotency_key_reused`: same key, other body",
        429: (
            "`rate_limited`; `waiting_room` with `waiting_room{ticket, position,"
            " estimated_wait_seconds}` while a flash sale has a queue; with Retry-After"
        ),
        503: "`overloaded`, `outcome_unknown`, with Retry-After",
    },
    parameters=(
        header("Idempotency-Key", "1 to 255 visible ASCII characters of your own", required=True),
        CART_TOKEN,
        WAITING_TICKET,
    ),
    examples=[
        OpenApiExample(
            "Buy now",
            request_only=True,
            value={
                "lines": [{"sku": "STONEWARE-MUG-MOSS", "quantity": 2}],
                "promo_code": "SLOWMORNING",
                "email": "alice@example.com",
                "shipping_address": _ADDRESS,
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
                "shipping_address": _ADDRESS,
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
                        "field": "STONEWARE-MUG-MOSS",
                        "code": "out_of_stock",
                        "message": "Only 1 left.",
                        "available": 1,
                    }
                ],
            },
        ),
    ],
)

# --- Orders -------------------------------------------------------------------------------------

MY_ORDERS = call(
    "my_orders",
    "My orders, newest first",
    {200: OrderPage},
    tag="orders",
    public=False,
    problems={401: "`not_authenticated`"},
    parameters=(CURSOR, PAGE_SIZE),
)
ORDER = call(
    "order", "An order", {200: Order}, tag="orders", problems=NOT_FOUND, parameters=(ORDER_TOKEN,)
)
ORDER_STATUS = call(
    "order_status",
    "Where an order is",
    {200: OrderStatus, 304: None},
    tag="orders",
    problems=NOT_FOUND,
    parameters=(ORDER_TOKEN, IF_NONE_MATCH),
)
ORDER_EVENTS = call(
    "order_events",
    "The moves of an order since `after_seq`",
    {200: OrderEvents},
    tag="orders",
    problems={400: "`invalid`", **NOT_FOUND},
    parameters=(ORDER_TOKEN, query("after_seq", "the last `seq` seen", type=OpenApiTypes.INT)),
)
CANCEL_ORDER = call(
    "cancel_order",
    "Call an order off before it is shipped",
    {202: OrderStatus},
    writes=True,
    tag="orders",
    problems={**NOT_FOUND, 409: "`not_cancellable`"},
    parameters=(ORDER_TOKEN,),
)
RETURN_ORDER = call(
    "return_order",
    "Send delivered goods back",
    {201: Return},
    tag="orders",
    body=bodies.RETURN,
    problems={**NOT_FOUND, 409: "`not_returnable`: not delivered"},
    parameters=(ORDER_TOKEN,),
)

# --- Accounts -----------------------------------------------------------------------------------

REGISTER = call(
    "register",
    "Open an account",
    {201: Registered},
    tag="auth",
    looks_who_asks=False,
    body=bodies.REGISTER,
)
TOKEN = call(
    "token",
    "Sign in",
    {200: Tokens},
    looks_who_asks=False,
    tag="auth",
    body=bodies.LOGIN,
    problems={401: "`authentication_failed`"},
)
TOKEN_REFRESH = call(
    "token_refresh",
    "A new access token",
    {200: Tokens},
    looks_who_asks=False,
    tag="auth",
    body=bodies.REFRESH,
    problems={401: "`authentication_failed`"},
)
_SIGNED_IN = {401: "`not_authenticated`"}
ME = call("me", "My profile", {200: Profile}, tag="me", public=False, problems=_SIGNED_IN)
CHANGE_ME = call(
    "change_me",
    "Change my name",
    {200: Profile},
    tag="me",
    public=False,
    body=bodies.PROFILE,
    problems=_SIGNED_IN,
)
ADDRESSES = call(
    "addresses",
    "My address book",
    {200: AddressPage},
    tag="me",
    public=False,
    problems=_SIGNED_IN,
    parameters=(CURSOR, PAGE_SIZE),
)
NEW_ADDRESS = call(
    "new_address",
    "Add an address",
    {201: BookAddress},
    tag="me",
    public=False,
    body=bodies.BOOK_ADDRESS,
    problems={**_SIGNED_IN, 409: "`address_book_full`"},
)
ADDRESS = call(
    "address",
    "One address",
    {200: BookAddress},
    tag="me",
    public=False,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
PUT_ADDRESS = call(
    "replace_address",
    "Replace an address",
    {200: BookAddress},
    tag="me",
    public=False,
    body=bodies.BOOK_ADDRESS,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
PATCH_ADDRESS = call(
    "change_address",
    "Change some fields of an address",
    {200: BookAddress},
    tag="me",
    public=False,
    body=bodies.SOME_OF_BOOK_ADDRESS,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
DELETE_ADDRESS = call(
    "delete_address",
    "Delete an address",
    {204: None},
    writes=True,
    tag="me",
    public=False,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
