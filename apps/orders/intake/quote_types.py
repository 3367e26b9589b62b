"""A quote as data: its lines, its totals, and what is wrong with it. Amounts are minor units."""

from dataclasses import dataclass
from typing import Any

from apps.core import money
from apps.flash_sales.limits import Limits
from apps.promos.pricing import AppliedPromo


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One SKU of a quote. `available` is what can be bought now (0 when it was not asked for).

    `back_ordered` of the units are not there yet and ship later (0 when it was not asked for).
    What is paid for the line is `line_amount - discount_amount + tax_amount`.
    """

    sku: str
    name: str
    variant_id: int
    quantity: int
    unit_amount: int
    line_amount: int
    discount_amount: int
    tax_amount: int
    available: int
    image: str
    slug: str
    product_id: int
    limits: Limits
    back_ordered: int = 0


@dataclass(frozen=True, slots=True)
class QuoteProblem:
    """A reason why this cart cannot be ordered. `sku` or `promo_code` names where.

    `available` is how many units can be had: what is left, or what the limit allows. `minimum` is
    the least that can be paid, (minor units, currency), where this cart comes to less.
    """

    code: str
    message: str
    sku: str = ""
    promo_code: str = ""
    available: int | None = None
    minimum: tuple[int, str] | None = None

    def payload(self) -> dict[str, Any]:
        """The API's shape."""
        document: dict[str, Any] = {
            "sku": self.sku or None,
            "code": self.code,
            "available": self.available,
            "message": self.message,
        }
        if self.promo_code:
            document["promo_code"] = self.promo_code
        if self.minimum:
            document["minimum"] = money.payload(*self.minimum)
        return document


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a cart at this moment, and what is wrong with it.

    `tax_amount` is all tax: the lines' parts and `shipping_tax_amount`. Until `tax_known` it is no
    more than a guess, because the destination is not known, or not its region where that decides.
    `ships`: whether any line needs shipping; else there is no `shipping_method`. `free_shipping`:
    whether a promo pays for the shipping, by whichever method.
    """

    lines: tuple[QuoteLine, ...]
    currency: str
    subtotal_amount: int
    discount_amount: int
    shipping_amount: int
    shipping_tax_amount: int
    tax_amount: int
    total_amount: int
    weight_grams: int
    shipping_method: str
    promos: tuple[AppliedPromo, ...]
    problems: tuple[QuoteProblem, ...]
    ships: bool = True
    free_shipping: bool = False
    tax_known: bool = True

    @property
    def known_amount(self) -> int:
        """The total as far as it is known: without tax until the address decides it."""
        return self.total_amount if self.tax_known else self.total_amount - self.tax_amount

    def totals(self) -> dict[str, dict[str, str] | None]:
        """The API's `totals`; `tax` is None until the address decides it."""
        return {
            name: money.payload(amount, self.currency) if amount is not None else None
            for name, amount in (
                ("subtotal", self.subtotal_amount),
                ("discount", self.discount_amount),
                ("shipping", self.shipping_amount),
                ("tax", self.tax_amount if self.tax_known else None),
                ("total", self.known_amount),
            )
        }
