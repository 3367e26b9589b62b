"""How many units of a product one order, and one customer, may have.

The flash sale's limit applies if it has one, else the product's, else the shop's (settings). Limits
are per product, over all its SKUs; only `line` is per SKU.
"""

from dataclasses import dataclass

from django.conf import settings

from apps.catalog.prices import Offer
from apps.flash_sales import active_sales


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in units. `order` and `customer` are None where there is no limit.

    A customer's orders are counted from `since`, in seconds since 1970; 0 means from
    settings.CUSTOMER_WINDOW ago.
    """

    line: int
    order: int | None = None
    customer: int | None = None
    since: float = 0.0

    @property
    def together(self) -> int | None:
        """The most units of the product, over its SKUs, in one order; None: no limit."""
        return min((n for n in (self.order, self.customer) if n is not None), default=None)

    @property
    def of_sku(self) -> int:
        """The most units of one SKU in one order."""
        return self.line if self.together is None else min(self.line, self.together)


def of(offer: Offer) -> Limits:
    """The limits that apply to an offer now."""
    sale = active_sales.by_sku().get(offer.sku)
    line, order, customer = offer.units_per_line, offer.units_per_order, offer.units_per_customer
    since = 0.0
    if sale is not None:
        line = line if sale.units_per_line is None else sale.units_per_line
        order = order if sale.units_per_order is None else sale.units_per_order
        if sale.units_per_customer is not None:
            customer, since = sale.units_per_customer, sale.queue_opens_at
    return Limits(
        settings.UNITS_PER_LINE if line is None else line,
        order,
        settings.UNITS_PER_CUSTOMER if customer is None else customer,
        since,
    )
