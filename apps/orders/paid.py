"""What was paid for each line of an order: its price less its discount, with its tax.

A line keeps its discount and its tax from acceptance on, to the cent; shipping and its tax stand by
themselves. Lines of the release that did not keep them get shares in proportion to their prices:
nothing better is known of these orders, and their earlier refunds were computed so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from apps.core import money
from apps.orders.models import Order


class PricedLine(Protocol):
    """An order's line, or the three columns of one."""

    @property
    def line_amount(self) -> int: ...
    @property
    def discount_amount(self) -> int | None: ...
    @property
    def tax_amount(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class LineAmounts:
    """Of one line, in minor units. `paid` is what its units are worth when all come back.

    `discount` and `tax` of an order without its own are shares for people to read: each adds up to
    the order's, while `paid` may be a cent off from price less discount with tax.
    """

    discount: int
    tax: int
    paid: int


def amounts_of(order: Order, lines: Sequence[PricedLine]) -> list[LineAmounts]:
    """The amounts of each of `lines`, which are all lines of `order`, in their order."""
    kept = [
        LineAmounts(
            line.discount_amount,
            line.tax_amount,
            line.line_amount - line.discount_amount + line.tax_amount,
        )
        for line in lines
        if line.discount_amount is not None and line.tax_amount is not None
    ]
    return kept if len(kept) == len(lines) else _in_proportion(order, lines)


def _in_proportion(order: Order, lines: Sequence[PricedLine]) -> list[LineAmounts]:
    """An order of before: everything but shipping, shared out by the lines' prices."""
    weights = [line.line_amount for line in lines]
    return [
        LineAmounts(*amounts)
        for amounts in zip(
            money.share_out(order.discount_amount, weights),
            money.share_out(order.tax_amount, weights),
            money.share_out(order.total_amount - order.shipping_amount, weights),
            strict=True,
        )
    ]


def part(paid: int, *, of: int, before: int, now: int) -> int:
    """What `now` of a line's units are worth, after `before` of its `of` units came back.

    Whatever the parts and their order, together they are `paid` exactly: each is the share of all
    units so far, less the shares of those before.
    """
    return paid * (before + now) // of - paid * before // of
