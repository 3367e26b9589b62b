"""A checkout: what is ordered, and the 202 that accepts it."""

import re
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from apps.api.contract.address import PostalAddress
from apps.api.contract.fields import Body, Email, Id, Text, whole
from apps.api.contract.formats import Url, Uuid, said
from apps.api.contract.money import Money, Price
from apps.cart.carts import LINES_MAX, QUANTITY_MAX

EXAMPLE_CODE = "SLOWMORNING"
Sku = Annotated[str, Text(most=255, example="KP-MUG-PINE")]
PromoCode = Annotated[str, Text(most=200, example=EXAMPLE_CODE)]
METHOD_CODE = Text(
    most=40,
    pattern=re.compile(r"[A-Za-z0-9_-]+"),
    hint="Expected a method's code.",
    example="standard",
)
PAYMENT_METHOD = Text(
    most=120,  # of the column
    pattern=re.compile(r"pm_[A-Za-z0-9_]+"),
    hint="Expected the gateway's token of a payment method (pm_…).",
    example="pm_card_visa",
)


# A dict and no model: a body of fifty lines is read in two thirds of the time.
class OrderedLine(TypedDict):
    sku: Sku
    quantity: Annotated[int, whole(1, QUANTITY_MAX)]


OrderedLines = Annotated[list[OrderedLine], Field(min_length=1, max_length=LINES_MAX)]


class CheckoutBody(Body):
    cart: Id | None = None
    lines: OrderedLines | None = None
    promo_code: Annotated[str, Text(most=200, blank=True, example=EXAMPLE_CODE)] | None = None
    email: Email
    shipping_address: PostalAddress
    billing_address: PostalAddress | None = None
    shipping_method: Annotated[str, METHOD_CODE]
    payment_method: Annotated[str, PAYMENT_METHOD]
    expected_total: Price | None = None


class AcceptedOrder(TypedDict):
    id: Uuid
    number: str
    status: str
    total: Money
    token: Annotated[str, said("for X-Order-Token and the websocket")]


class Links(TypedDict):
    self: Url
    status: Url
    events: Url
    websocket: str


class Place(TypedDict):
    position: Annotated[int, said("orders before this one")]
    estimated_wait_seconds: int


class Accepted(TypedDict):
    order: AcceptedOrder
    links: Links
    queue: Place
