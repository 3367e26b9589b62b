"""What a cart costs: lines, promos, shipping, tax, total. Always computed here, never believed.

The order of computing is: line totals, promo discounts per line, shipping (by weight or by the
discounted subtotal), tax on what is taxable after discount. Amounts are minor units.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.catalog import prices
from apps.catalog.prices import Offer
from apps.inventory import stock
from apps.promos import pricing
from apps.promos.models import Promo
from apps.promos.pricing import AppliedPromo, PricedLine
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from storefront import money


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One SKU of a quote. `available` is what could be bought now (0 when not asked for)."""

    sku: str
    name: str
    variant_id: int
    quantity: int
    unit_amount: int
    line_amount: int
    discount_amount: int
    available: int
    image: str
    slug: str


@dataclass(frozen=True, slots=True)
class QuoteProblem:
    """Something that stands between this cart and an order. `sku` or `promo_code` names where."""

    code: str
    message: str
    sku: str = ""
    promo_code: str = ""
    available: int | None = None

    def payload(self) -> dict[str, Any]:
        """The API's shape."""
        return {
            "sku": self.sku or None,
            "code": self.code,
            "available": self.available,
            "message": self.message,
        } | ({"promo_code": self.promo_code} if self.promo_code else {})


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a cart at this moment, and what is wrong with it."""

    lines: tuple[QuoteLine, ...]
    currency: str
    subtotal_amount: int
    discount_amount: int
    shipping_amount: int
    tax_amount: int
    total_amount: int
    weight_grams: int
    shipping_method: str
    promos: tuple[AppliedPromo, ...]
    problems: tuple[QuoteProblem, ...]

    def totals(self) -> dict[str, dict[str, str]]:
        """The API's `totals`."""
        return {
            name: money.payload(amount, self.currency)
            for name, amount in (
                ("subtotal", self.subtotal_amount),
                ("discount", self.discount_amount),
                ("shipping", self.shipping_amount),
                ("tax", self.tax_amount),
                ("total", self.total_amount),
            )
        }


def quote_lines(
    lines: Iterable[tuple[str, int]],
    *,
    promo_codes: Sequence[str] = (),
    country: str = "",
    region: str = "",
    shipping_method: str = "",
    customer_key: str | None = None,
    with_availability: bool = True,
    offers: Mapping[str, Offer] | None = None,
    promos: Mapping[str, Promo] | None = None,
) -> Quote:
    """Price `lines` ((sku, quantity); the same SKU twice counts together).

    Without a country or method there is no shipping and no tax yet. A problem never raises: it
    stands in `problems`, and its line, promo or method simply does not count.
    `with_availability=False` saves the question to the stock where the intake asks it anyway;
    `offers` and `promos` are those of a whole batch, looked up once.
    """
    quantities: dict[str, int] = {}
    for sku, quantity in lines:
        quantities[sku] = quantities.get(sku, 0) + quantity
    if offers is None:
        offers = prices.offers(quantities)
    # Only of what is sold: some texts cannot even be asked about, let alone be a SKU.
    available = stock.availability(offers.keys() & quantities) if with_availability else {}
    problems = [
        QuoteProblem("unavailable", "This is no longer sold.", sku=sku, available=0)
        for sku in quantities
        if sku not in offers
    ]
    sold = [(offers[sku], quantity) for sku, quantity in quantities.items() if sku in offers]
    if with_availability:
        problems += [
            _short(offer.name, offer.sku, available.get(offer.sku, 0))
            for offer, quantity in sold
            if available.get(offer.sku, 0) < quantity
        ]
    discounts = pricing.discounts_for(
        [
            PricedLine(offer.product_id, offer.category_path, quantity, offer.unit_amount)
            for offer, quantity in sold
        ],
        promo_codes,
        customer_key=customer_key,
        promos=promos,
    )
    problems += [
        QuoteProblem(error.code, str(error), promo_code=error.promo_code)
        for error in discounts.refused
    ]
    quoted = tuple(
        QuoteLine(
            sku=offer.sku,
            name=offer.name,
            variant_id=offer.variant_id,
            quantity=quantity,
            unit_amount=offer.unit_amount,
            line_amount=offer.unit_amount * quantity,
            discount_amount=discount,
            available=available.get(offer.sku, 0),
            image=offer.image,
            slug=offer.product_slug,
        )
        for (offer, quantity), discount in zip(sold, discounts.per_line, strict=True)
    )
    subtotal = sum(line.line_amount for line in quoted)
    discount = sum(discounts.per_line)
    weight = sum(offer.weight_grams * q for offer, q in sold if offer.requires_shipping)
    shipping, shipping_problem = _shipping(
        country,
        shipping_method,
        weight=weight,
        subtotal=subtotal - discount,
        needed=any(offer.requires_shipping for offer, _ in sold),
    )
    if shipping_problem:
        problems.append(shipping_problem)
    if discounts.free_shipping:
        shipping = 0
    taxable = sum(
        line.line_amount - line.discount_amount
        for line, (offer, _) in zip(quoted, sold, strict=True)
        if offer.taxable
    )
    tax = 0
    if country:
        tax = tax_rates.tax_for(
            country=country, region=region, taxable_amount=taxable, shipping_amount=shipping
        )
    return Quote(
        lines=quoted,
        currency=settings.SHOP_CURRENCY,
        subtotal_amount=subtotal,
        discount_amount=discount,
        shipping_amount=shipping,
        tax_amount=tax,
        total_amount=subtotal - discount + shipping + tax,
        weight_grams=weight,
        shipping_method=shipping_method,
        promos=discounts.applied,
        problems=tuple(problems),
    )


def _short(name: str, sku: str, available: int) -> QuoteProblem:
    message = f"{name} is sold out." if available < 1 else f"Only {available} of {name} left."
    return QuoteProblem("insufficient_stock", message, sku=sku, available=max(available, 0))


def _shipping(
    country: str, method: str, *, weight: int, subtotal: int, needed: bool
) -> tuple[int, QuoteProblem | None]:
    if not country or not method or not needed:
        return 0, None
    try:
        quoted = shipping_rates.price(
            method,
            country=country,
            weight_grams=weight,
            subtotal_amount=subtotal,
            currency=settings.SHOP_CURRENCY,
        )
    except shipping_rates.NotShippable as error:
        return 0, QuoteProblem("not_shippable", str(error))
    return quoted.price_amount, None
