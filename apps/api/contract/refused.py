"""Problems that say more than what is wrong: what is left, the new total, the place in a queue."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from apps.api.contract.cart import Quote
from apps.api.contract.formats import Uuid, said
from apps.api.contract.money import Money
from apps.api.contract.problem import Problem
from apps.api.contract.waiting_room import WaitingPlace


class ShortStock(Problem):
    available: NotRequired[Annotated[int, said("units left of this SKU")]]


class OrderedBefore(TypedDict):
    id: Uuid
    number: str


class CheckoutConflict(Problem):
    quote: NotRequired[Annotated[Quote, said("with `price_changed`: what the order costs now")]]
    order: NotRequired[
        Annotated[OrderedBefore, said("with `cart_already_ordered`: the order that the cart has")]
    ]
    minimum: NotRequired[
        Annotated[Money, said("with `below_minimum`: the least that can be paid by card")]
    ]


class MustWait(Problem):
    waiting_room: NotRequired[
        Annotated[WaitingPlace, said("with `waiting_room`: your ticket and place")]
    ]
