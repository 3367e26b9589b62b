"""The answers to checkouts that are refused with more than a code: what is left, the new total."""

from typing import Any, cast

from apps.api.contract.cart import Quote as QuoteAnswer
from apps.api.contract.money import Totals, price
from apps.api.contract.problem import FieldProblem
from apps.api.contract.reading import invalid, problem
from apps.core.problems import Problem
from apps.orders import errors as orders
from apps.orders.intake.customer_limits import CUSTOMER_LIMITED
from apps.orders.intake.quote import BELOW_MINIMUM, LIMITED, Quote, QuoteProblem


def out_of_stock(error: orders.OutOfStock) -> Problem:
    """409 that names each line that is short, and how many units are left of it."""
    return problem(
        409,
        "out_of_stock",
        "Some of this is no longer in stock. Nothing was ordered.",
        [
            {
                "field": line.sku,
                "code": "out_of_stock",
                "message": left(line.available),
                "available": line.available,
            }
            for line in error.lines
        ],
    )


def price_changed(error: orders.PriceChanged) -> Problem:
    """409 with the quote of this moment."""
    detail = "The total has changed. Nothing was ordered."
    return Problem(409, "price_changed", detail, extra={"quote": quote_document(error.quote)})


def cart_already_ordered(error: orders.CartAlreadyOrdered) -> Problem:
    """409 with the order that the cart has."""
    ordered = {"id": str(error.order_id), "number": error.number}
    detail = "This cart has been ordered already."
    return Problem(409, "cart_already_ordered", detail, extra={"order": ordered})


def not_quotable(error: orders.NotQuotable) -> Problem:
    """400, under the promo's own code when the promo is all that is wrong; 409 beyond a limit."""
    # What else is wrong comes first: without it the total may be another.
    problems = tuple(p for p in error.problems if p.code != BELOW_MINIMUM) or error.problems
    first = problems[0]
    errors = [_of_quote(found) for found in problems]
    if first.minimum is not None:
        extra = {"minimum": price(*first.minimum)}
        shown_errors = cast(list[dict[str, Any]], errors)
        return Problem(409, first.code, first.message, errors=shown_errors, extra=extra)
    if all(found.promo_code for found in problems):
        status = 409 if first.code in ("promo_exhausted", "promo_used") else 400
        at_code: list[FieldProblem] = [{**found, "field": "promo_code"} for found in errors]
        return problem(status, first.code, first.message, at_code)
    if all(found.code in (LIMITED, CUSTOMER_LIMITED) for found in problems):
        limited = [
            cast(FieldProblem, {**shown, "available": found.available})
            for shown, found in zip(errors, problems, strict=True)
        ]
        return problem(409, first.code, first.message, limited)
    return invalid(errors)


def left(available: int) -> str:
    """How many units are left, in words for shoppers."""
    return f"Only {available} left." if available > 0 else "Sold out."


def quote_document(quote: Quote) -> QuoteAnswer:
    """A quote as the cart shows it: lines, totals, promo codes."""
    return {
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": price(line.unit_amount, quote.currency),
                "line_total": price(line.line_amount, quote.currency),
            }
            for line in quote.lines
        ],
        "totals": cast(Totals, quote.totals()),
        "total": price(quote.total_amount, quote.currency),
        "promo_codes": [promo.code for promo in quote.promos],
    }


def _of_quote(found: QuoteProblem) -> FieldProblem:
    return {"field": _field(found), "code": found.code, "message": found.message}


def _field(found: QuoteProblem) -> str:
    if found.sku:
        return found.sku
    if found.promo_code:
        return "promo_code"
    return "shipping_method" if found.code == "not_shippable" else "lines"
