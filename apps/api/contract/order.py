"""Orders after the checkout: status, transitions, the whole order, returns.

apps.orders.payloads makes the documents of a status and of an order, for pages and the websocket as
well; tests/api/test_schema.py holds them against these declarations.
"""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from apps.api.contract.address import Address
from apps.api.contract.checkout import PAYMENT_METHOD, Links, OrderedLines
from apps.api.contract.fields import Body, Text
from apps.api.contract.formats import Day, EmailAddress, Moment, PageLinks, Url, Uuid, said
from apps.api.contract.money import Money, Totals
from apps.orders.models import Order as OrderRow
from apps.orders.models import Return as ReturnRow
from apps.payments.models import Payment as PaymentRow
from apps.payments.models import Refund as RefundRow
from apps.shipping.models import Shipment as ShipmentRow


def one_of(values: list[str]) -> Any:
    """One of these words."""
    return Field(json_schema_extra={"enum": [*values]})


OrderStatusName = Annotated[str, one_of(OrderRow.Status.values)]
PaymentStatusName = Annotated[str, one_of(PaymentRow.Status.values)]
RefundStatusName = Annotated[str, one_of(RefundRow.Status.values)]
ReturnStateName = Annotated[str, one_of(ReturnRow.State.values)]
ShipmentStateName = Annotated[str, one_of(ShipmentRow.State.values)]


class ReturnBody(Body):
    lines: OrderedLines
    reason: Annotated[str, Text(most=500, lines=True)]


class PaymentBody(Body):
    payment_method: Annotated[str, PAYMENT_METHOD]


class NextAction(TypedDict):
    type: Annotated[str, one_of(["redirect", "pay_again"])]
    url: Annotated[Url, said("of the bank's page, or where to pay again")]
    until: Moment


class OrderStatus(TypedDict):
    """One transition of the order; the websocket sends the same document."""

    id: Uuid
    number: str
    status: OrderStatusName
    seq: int
    message: str
    updated_at: Moment
    next_action: NextAction | None


class OrderEvents(PageLinks):
    results: list[OrderStatus]


class OrderLine(TypedDict):
    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Annotated[Money, said("before discount and tax")]
    discount: Money
    tax: Money
    back_ordered: Annotated[
        int, said("units that are not there yet and ship later; 0 once the order has left")
    ]
    slug: Annotated[str | None, said("of today's product; null when it is no longer sold")]
    image: str | None


class Payment(TypedDict):
    """One attempt to pay; the first one first."""

    status: PaymentStatusName
    amount: Money
    message: Annotated[str, said("why it failed")]


class Refund(TypedDict):
    amount: Money
    reason: str
    status: RefundStatusName
    created_at: Moment


class ReturnLine(TypedDict):
    sku: str
    name: str
    quantity: int
    accepted: Annotated[int | None, said("units, once staff have decided")]
    refund: Annotated[Money | None, said("what was paid for the accepted units, once received")]


class Return(TypedDict):
    id: Uuid
    order: Uuid
    number: Annotated[str, said("to be written on the parcel")]
    state: ReturnStateName
    reason: str
    created_at: Moment
    received_at: Moment | None
    refused_at: Moment | None
    message: Annotated[str, said("why it was refused, or accepted in part; else empty")]
    lines: list[ReturnLine]
    send_to: Annotated[list[str], said("the address, line by line")]
    what_to_do: str


class Shipment(TypedDict):
    carrier: str
    tracking_number: str
    state: ShipmentStateName
    estimated_from: Day
    estimated_to: Day


class Order(OrderStatus):
    cancel_requested: Annotated[bool, said("true until it is CANCELLED")]
    email: EmailAddress
    placed_at: Moment
    lines: list[OrderLine]
    totals: Totals
    total: Money
    promo_codes: list[str]
    shipping_address: Address
    billing_address: Address | None
    shipping_method: str
    shipment: Shipment | None
    payments: list[Payment]
    refunds: list[Refund]
    returns: list[Return]
    links: Links


class OrderSummary(TypedDict):
    id: Uuid
    number: str
    status: OrderStatusName
    total: Money
    placed_at: Moment
    updated_at: Moment


class OrderPage(PageLinks):
    results: list[OrderSummary]
