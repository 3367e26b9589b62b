"""The calls of an order after its checkout."""

from apps.api.contract.order import (
    Order,
    OrderEvents,
    OrderPage,
    OrderStatus,
    PaymentBody,
    Return,
    ReturnBody,
)
from apps.api.openapi.call import NO_PAGE, NOT_FOUND, call
from apps.api.openapi.parameters import (
    CURSOR,
    ETAG,
    IF_NONE_MATCH,
    ORDER_TOKEN,
    PAGE_SIZE,
    SEQ,
    query,
)

MY_ORDERS = call(
    "my_orders",
    "My orders, newest first",
    {200: OrderPage},
    tag="orders",
    public=False,
    problems={401: "`not_authenticated`", **NO_PAGE},
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
    headers={200: (ETAG,), 304: (ETAG,)},
)
ORDER_EVENTS = call(
    "order_events",
    "The transitions of an order since `after_seq`",
    {200: OrderEvents},
    tag="orders",
    problems={400: "`invalid`", **NOT_FOUND},
    parameters=(ORDER_TOKEN, query("after_seq", "the last `seq` seen", SEQ)),
)
PAY_AGAIN = call(
    "pay_again",
    "Pay with another card after one was declined",
    {202: Order},
    tag="orders",
    body=PaymentBody,
    idempotent=True,
    description=(
        "For an order in PAYMENT_FAILED, until the `until` of its `next_action`. The same order"
        " with the same units held goes back to PENDING; a second decline makes it wait again."
    ),
    problems={
        **NOT_FOUND,
        409: "`not_payable`: it does not wait for another card, or its time is over",
    },
    parameters=(ORDER_TOKEN,),
)
CANCEL_ORDER = call(
    "cancel_order",
    "Cancel an order before it is shipped",
    {202: Order},
    writes=True,
    idempotent=True,
    tag="orders",
    description=(
        "Answers at once, the order with `cancel_requested: true`; what was done is then undone,"
        " and it is CANCELLED. Asking again changes nothing."
    ),
    problems={**NOT_FOUND, 409: "`not_cancellable`"},
    parameters=(ORDER_TOKEN,),
)
RETURN_ORDER = call(
    "return_order",
    "Send delivered goods back",
    {201: Return},
    tag="orders",
    body=ReturnBody,
    idempotent=True,
    problems={**NOT_FOUND, 409: "`not_returnable`: not delivered"},
    parameters=(ORDER_TOKEN,),
)
