"""Pricing a batch of checkouts: one query of the catalog, one of the promos, one of their uses."""

from collections.abc import Mapping, Sequence

from apps.catalog import prices
from apps.catalog.prices import Offer
from apps.inventory import stock
from apps.inventory.allocation import ShortLine
from apps.orders.errors import NotAccepted, NotQuotable, OutOfStock, PriceChanged
from apps.orders.intake.checkout_request import CheckoutRequest
from apps.orders.intake.customer_quote import quote_for
from apps.orders.intake.pending import Outcomes, Pending
from apps.orders.intake.quote import LIMITED, Quote, QuoteProblem
from apps.promos import pricing, uses
from apps.promos.models import Promo
from apps.promos.uses import LiveUses


def price(running: Sequence[Pending], outcomes: Outcomes) -> list[Pending]:
    """Set the quote of each checkout; those that have one. The others get their refusal."""
    if not running:
        return []
    offers = prices.offers({sku for p in running for sku, _ in p.request.lines})
    promos = pricing.load(code for p in running for code in p.request.promo_codes)
    live_uses = uses.live_of_limited(
        promos.values(),
        [(p.mailbox, p.request.user_id) for p in running if p.request.promo_codes],
    )
    priced = []
    for pending in running:
        try:
            pending.quote = _quote(
                pending.request, offers=offers, promos=promos, live_uses=live_uses
            )
            priced.append(pending)
        except NotAccepted as refused:
            outcomes[pending.order_id] = refused
    return priced


def _quote(
    request: CheckoutRequest,
    *,
    offers: Mapping[str, Offer],
    promos: Mapping[str, Promo],
    live_uses: LiveUses,
) -> Quote:
    """Raises OutOfStock, NotQuotable, or PriceChanged."""
    quote = quote_for(
        request.lines,
        email=request.email,
        user_id=request.user_id,
        promo_codes=request.promo_codes,
        country=request.shipping_address.get("country", ""),
        region=request.shipping_address.get("region", ""),
        shipping_method=request.shipping_method,
        with_availability=False,  # the reservation decides
        offers=offers,
        promos=promos,
        live_uses=live_uses,
    )
    if quote.problems:
        raise _out_of_stock(quote) or NotQuotable(quote.problems)
    if not quote.lines:
        raise NotQuotable((QuoteProblem("empty", "There is nothing to order."),))
    if request.expected_total not in (None, (quote.total_amount, quote.currency)):
        raise PriceChanged(quote)
    return quote


def _out_of_stock(quote: Quote) -> OutOfStock | None:
    """The refusal of an order above a quantity limit and above the stock: the stock, as in carts.

    Only here is the stock read outside the reservation.
    """
    if any(problem.code != LIMITED for problem in quote.problems):
        return None
    left = stock.availability([line.sku for line in quote.lines])
    short = tuple(
        ShortLine(line.sku, left.get(line.sku, 0))
        for line in quote.lines
        if left.get(line.sku, 0) < line.quantity
    )
    return OutOfStock(short) if short else None
