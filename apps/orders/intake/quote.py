"""What a cart costs: lines, promos, shipping, tax, total. Always computed here, never taken over.

The order of computing is: line totals, promo discounts per line, shipping (by weight or by the
discounted subtotal), tax on what is taxable after discount, rounded once and shared out over the
lines and shipping. Amounts are minor units.
"""

from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings

from apps.cart import goods as cart_goods
from apps.cart.goods import Goods
from apps.catalog import prices
from apps.catalog.prices import Offer
from apps.flash_sales import limits
from apps.inventory import stock
from apps.orders.intake.minimum import BELOW_MINIMUM, below_minimum
from apps.orders.intake.quantity_limits import LIMITED, above_limits
from apps.orders.intake.quote_types import Quote, QuoteLine, QuoteProblem
from apps.promos import pricing
from apps.promos.models import Promo
from apps.promos.pricing import PricedLine
from apps.promos.uses import LiveUses
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from apps.taxes import regions

__all__ = ["BELOW_MINIMUM", "LIMITED", "Quote", "QuoteLine", "QuoteProblem", "quote_lines"]

Sold = tuple[Offer, int]  # what is on sale, and how many units are wanted


def quote_lines(
    lines: Iterable[tuple[str, int]],
    *,
    promo_codes: Sequence[str] = (),
    country: str = "",
    region: str = "",
    shipping_method: str = "",
    customer_key: str | None = None,
    user_id: int | None = None,
    with_availability: bool = True,
    offers: Mapping[str, Offer] | None = None,
    goods: Goods | None = None,
    promos: Mapping[str, Promo] | None = None,
    live_uses: LiveUses | None = None,
) -> Quote:
    """Price `lines` ((sku, quantity); the same SKU twice counts together).

    Without a country or method there is no shipping and no tax yet. A problem never raises: it is
    in `problems`, and its line, promo or method does not count. The promos' limits per customer are
    checked for `customer_key` (mailbox) and `user_id`. `with_availability=False` saves the query of
    the stock for the intake, which reserves anyway; `offers`, `promos` and `live_uses` are those of
    a whole batch, read once. `goods` are the caller's, read a moment ago in the same request; they
    are read here where they do not cover all lines.
    """
    quantities: dict[str, int] = {}
    for sku, quantity in lines:
        quantities[sku] = quantities.get(sku, 0) + quantity
    levels: Mapping[str, stock.Level] = {}
    if with_availability:
        if goods is None or not goods.cover(quantities):
            goods = cart_goods.of(quantities)
        offers, levels = goods.offers, goods.levels
    sold, problems = _sold(quantities, offers)
    if with_availability:
        problems += _short(sold, levels)
    discounts = pricing.discounts_for(
        [_priced(offer, quantity) for offer, quantity in sold],
        promo_codes,
        customer_key=customer_key,
        user_id=user_id,
        promos=promos,
        live_uses=live_uses,
    )
    problems += [
        QuoteProblem(error.code, str(error), promo_code=error.promo_code)
        for error in discounts.refused
    ]
    net = [
        offer.unit_amount * quantity - discount
        for (offer, quantity), discount in zip(sold, discounts.per_line, strict=True)
    ]
    to_ship = [(offer, quantity) for offer, quantity in sold if offer.requires_shipping]
    weight = sum(offer.weight_grams * quantity for offer, quantity in to_ship)
    shipping = 0
    if to_ship and country and shipping_method:
        shipping, found = _shipping(country, shipping_method, weight=weight, subtotal=sum(net))
        problems += found
    if discounts.free_shipping:
        shipping = 0
    tax = _tax(sold, net, country=country, region=region, shipping=shipping)
    quoted = tuple(
        _line(offer, quantity, discount, line_tax, levels.get(offer.sku, stock.Level()))
        for (offer, quantity), discount, line_tax in zip(
            sold, discounts.per_line, tax.per_line, strict=True
        )
    )
    problems += above_limits(quoted)
    total = sum(net) + shipping + tax.total
    # Before the destination is known, what shipping adds may still bring it above the minimum.
    if not to_ship or discounts.free_shipping or (country and shipping_method):
        problems += below_minimum(total)
    ships = bool(to_ship) or not sold  # of an empty cart it is not known yet
    return Quote(
        lines=quoted,
        currency=settings.SHOP_CURRENCY,
        subtotal_amount=sum(net) + sum(discounts.per_line),
        discount_amount=sum(discounts.per_line),
        shipping_amount=shipping,
        shipping_tax_amount=tax.shipping,
        tax_amount=tax.total,
        total_amount=total,
        weight_grams=weight,
        shipping_method=shipping_method if ships else "",
        promos=discounts.applied,
        problems=tuple(problems),
        ships=ships,
        free_shipping=discounts.free_shipping,
        tax_known=regions.tax_is_known(country, region),
    )


def _sold(
    quantities: Mapping[str, int], offers: Mapping[str, Offer] | None
) -> tuple[list[Sold], list[QuoteProblem]]:
    """What is on sale of the `quantities` by SKU, and a problem for each SKU that is not."""
    if offers is None:
        offers = prices.offers(quantities)
    sold = [(offers[sku], quantity) for sku, quantity in quantities.items() if sku in offers]
    gone = [
        QuoteProblem("unavailable", "This is no longer sold.", sku=sku, available=0)
        for sku in quantities
        if sku not in offers
    ]
    return sold, gone


def _short(sold: Sequence[Sold], levels: Mapping[str, stock.Level]) -> list[QuoteProblem]:
    """The lines of which there are fewer than wanted."""
    short = []
    for offer, quantity in sold:
        left = levels[offer.sku].for_sale if offer.sku in levels else 0
        if left < quantity:
            name = offer.name
            message = f"{name} is sold out." if left < 1 else f"Only {left} of {name} left."
            short.append(QuoteProblem("insufficient_stock", message, sku=offer.sku, available=left))
    return short


def _priced(offer: Offer, quantity: int) -> PricedLine:
    return PricedLine(
        offer.product_id,
        offer.category_path,
        quantity,
        offer.unit_amount,
        offer.requires_shipping,
    )


def _tax(
    sold: Sequence[Sold], net: Sequence[int], *, country: str, region: str, shipping: int
) -> tax_rates.Tax:
    if not country:
        return tax_rates.untaxed(len(sold))
    taxable = [amount if offer.taxable else 0 for amount, (offer, _) in zip(net, sold, strict=True)]
    return tax_rates.tax_for(
        country=country, region=region, taxable_amounts=taxable, shipping_amount=shipping
    )


def _line(offer: Offer, quantity: int, discount: int, tax: int, level: stock.Level) -> QuoteLine:
    return QuoteLine(
        sku=offer.sku,
        name=offer.name,
        variant_id=offer.variant_id,
        quantity=quantity,
        unit_amount=offer.unit_amount,
        line_amount=offer.unit_amount * quantity,
        discount_amount=discount,
        tax_amount=tax,
        available=level.for_sale,
        image=offer.image,
        slug=offer.product_slug,
        product_id=offer.product_id,
        limits=limits.of(offer),
        back_ordered=level.back_ordered(quantity),
    )


def _shipping(
    country: str, method: str, *, weight: int, subtotal: int
) -> tuple[int, list[QuoteProblem]]:
    try:
        quoted = shipping_rates.price(
            method,
            country=country,
            weight_grams=weight,
            subtotal_amount=subtotal,
            currency=settings.SHOP_CURRENCY,
        )
    except shipping_rates.NotShippable as error:
        return 0, [QuoteProblem("not_shippable", str(error))]
    return quoted.price_amount, []
