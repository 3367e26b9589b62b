"""Carts, and the ways to ship one."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from apps.api.contract.checkout import PromoCode
from apps.api.contract.fields import Body, whole
from apps.api.contract.formats import Uuid, said
from apps.api.contract.money import Money, Totals
from apps.cart.carts import QUANTITY_MAX


class CartLineBody(Body):
    quantity: Annotated[int, whole(0, QUANTITY_MAX)]


class PromoBody(Body):
    code: PromoCode


class CartLine(TypedDict):
    sku: str
    name: str
    quantity: int
    unit_price: Annotated[Money | None, said("null: no longer sold")]
    line_total: Money | None
    available: Annotated[
        int, said("what could be bought now; 1000000 where it is sold without a limit")
    ]
    back_ordered: Annotated[int, said("units of the line that are not there yet and ship later")]


class CartProblem(TypedDict):
    sku: str | None
    code: str
    available: int | None
    message: str
    promo_code: NotRequired[str]
    minimum: NotRequired[Annotated[Money, said("of `below_minimum`: the least that can be paid")]]


class CartTotals(TypedDict):
    subtotal: Money
    discount: Money
    shipping: Money
    tax: Annotated[Money | None, said("null: not known before the address; not in `total` yet")]
    total: Money


class CartNote(TypedDict):
    code: Annotated[str, said("`better_code_kept`, `code_replaced`, `code_left_out`")]
    message: str


class Cart(TypedDict):
    id: Uuid
    lines: list[CartLine]
    totals: CartTotals
    promo_codes: list[str]
    problems: list[CartProblem]
    notes: NotRequired[
        Annotated[list[CartNote], said("of the call that set a code: what became of the others")]
    ]
    next_cart: NotRequired[
        Annotated[
            Uuid | None,
            said(
                "of a cart that was ordered: the cart that holds what was added since; same token"
            ),
        ]
    ]


class NewCart(Cart):
    token: Annotated[str | None, said("for X-Cart-Token; null for owners")]


class QuotedLine(TypedDict):
    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class Quote(TypedDict):
    """Beside the problem `price_changed`: what the order costs now."""

    lines: list[QuotedLine]
    totals: Totals
    total: Money
    promo_codes: list[str]


class Days(TypedDict):
    min: int
    max: int


class ShippingMethod(TypedDict):
    code: str
    name: str
    price: Money
    estimated_days: Days
