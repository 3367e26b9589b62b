"""What each refusal of the domain is called over HTTP. The contract's codes live here.

The domain raises named exceptions and knows nothing of status codes; every endpoint sends what it
did not expect through `as_problem`. What is not in this table goes on to storefront/problems.py.
"""

from typing import Any

from django.core.exceptions import ValidationError

from apps.cart.errors import (
    CartClosed,
    CartNotFound,
    CartsUnavailable,
    InsufficientStock,
    InvalidQuantity,
    TooManyLines,
    TooManyPromos,
    UnknownSku,
)
from apps.customers.errors import AddressBookFull, AddressInvalid, AddressNotFound, EmailTaken
from apps.orders import errors as orders
from apps.orders.quote import QuoteProblem
from apps.promos.errors import PromoError, PromoExhausted
from apps.sales.waiting_room import NoSuchRoom, NotYourTurn, Place
from apps.shipping.errors import NotShippable
from storefront import money
from storefront.problems import Problem, overloaded
from storefront.rate_limits import LimitReached


def is_hidden(error: Exception) -> bool:
    """Whether `error` says that there is nothing here: the answer to guessed ids and tokens."""
    hidden = orders.OrderNotFound | CartNotFound | AddressNotFound
    return isinstance(error, hidden) and not isinstance(error, CartClosed)


def as_problem(error: Exception) -> Exception:
    """The Problem that `error` is to a client, or `error` itself."""
    match error:
        case CartClosed():
            return Problem(409, error.code, "This cart was ordered; a new one is open.")
        case orders.OrderNotFound() | CartNotFound() | AddressNotFound():
            return Problem(404, "not_found", "There is nothing here for you.")
        case LimitReached():
            return Problem(
                429, "rate_limited", "Too many requests; wait a little.", headers=error.headers
            )
        case orders.NotAccepted() | orders.OutcomeUnknown():
            return _not_accepted(error)
        case NotYourTurn():
            return Problem(
                429,
                "waiting_room",
                "There is a queue for this. Look at your place with the ticket, then come back.",
                headers={"Retry-After": str(error.place.look_again_in)},
                extra={"waiting_room": place_document(error.place)},
            )
        case NoSuchRoom():
            return Problem(
                404, "not_found", "There is no such waiting room, or not with this ticket."
            )
        case orders.NotCancellable():
            return Problem(409, "not_cancellable", "This order can no longer be cancelled.")
        case orders.ReturnRefused():
            return _return_refused(error)
        case PromoExhausted():
            return _promo(error)
        case PromoError():
            return _promo(error)
        case InsufficientStock():
            return _insufficient_stock(error)
        case UnknownSku():
            return Problem(404, "unknown_sku", "This is not sold here.")
        case InvalidQuantity():
            return _invalid([_error("quantity", error.code, str(error))])
        case TooManyLines():
            return Problem(409, error.code, str(error))
        case TooManyPromos():
            return Problem(400, error.code, str(error))
        case CartsUnavailable():
            return overloaded(2)
        case NotShippable():
            return _invalid([_error("shipping_method", error.code, str(error))])
        case EmailTaken():
            return _invalid([_error("email", error.code, str(error))])
        case AddressInvalid():
            return _invalid([_error(*found) for found in error.errors])
        case AddressBookFull():
            return Problem(409, error.code, str(error))
        case ValidationError():
            return _invalid(list(_of_validation(error)))
        case _:
            return error


def _return_refused(error: orders.ReturnRefused) -> Problem:
    for _, code, message in error.errors:
        if code == "not_returnable":
            return Problem(409, code, message)
    return _invalid([_error(*found) for found in error.errors])


def _not_accepted(error: Exception) -> Exception:
    match error:
        case orders.OutOfStock():
            return Problem(
                409,
                "out_of_stock",
                "Some of this is no longer in stock. Nothing was ordered.",
                errors=[
                    {
                        "field": line.sku,
                        "code": "out_of_stock",
                        "message": _left(line.available),
                        "available": line.available,
                    }
                    for line in error.lines
                ],
            )
        case orders.PriceChanged():
            return Problem(
                409,
                "price_changed",
                "The total has changed. Nothing was ordered.",
                extra={"quote": quote_document(error.quote)},
            )
        case orders.CartAlreadyOrdered():
            return Problem(
                409,
                "cart_already_ordered",
                "This cart has been ordered already.",
                extra={"order": {"id": str(error.order_id), "number": error.number}},
            )
        case orders.IdempotencyInFlight():
            return Problem(
                409,
                "idempotency_in_flight",
                "The first request with this key has not been answered yet.",
                headers={"Retry-After": str(error.retry_after)},
            )
        case orders.IdempotencyKeyReused():
            return Problem(422, "idempotency_key_reused", "This key was used for another checkout.")
        case orders.Overloaded():
            return overloaded(error.retry_after)
        case orders.OutcomeUnknown():
            return Problem(
                503,
                "outcome_unknown",
                "We cannot tell yet whether this was ordered. Send it again with the same key.",
                headers={"Retry-After": str(error.retry_after)},
            )
        case orders.NotQuotable():
            return _not_quotable(error.problems)
        case _:
            return error


def _not_quotable(problems: tuple[QuoteProblem, ...]) -> Problem:
    """400, under a promo's own code when the promo is all that is wrong."""
    promo_codes = {problem.code for problem in problems if problem.promo_code}
    if all(problem.promo_code for problem in problems) and promo_codes:
        first = problems[0]
        errors = [_error("promo_code", problem.code, problem.message) for problem in problems]
        status = 409 if first.code == "promo_exhausted" else 400
        return Problem(status, first.code, first.message, errors=errors)
    return _invalid(
        [_error(_field(problem), problem.code, problem.message) for problem in problems]
    )


def _field(problem: QuoteProblem) -> str:
    if problem.sku:
        return problem.sku
    if problem.promo_code:
        return "promo_code"
    return "shipping_method" if problem.code == "not_shippable" else "lines"


def _promo(error: PromoError) -> Problem:
    # Lost in the intake to somebody quicker is a conflict; known beforehand is a bad request.
    status = 409 if isinstance(error, PromoExhausted) else 400
    return Problem(status, error.code, str(error))


def _insufficient_stock(error: InsufficientStock) -> Problem:
    words = _left(error.available)
    return Problem(
        409,
        "insufficient_stock",
        words,
        errors=[
            {
                "field": error.sku,
                "code": "insufficient_stock",
                "message": words,
                "available": error.available,
            }
        ],
        extra={"available": error.available},
    )


def _left(available: int) -> str:
    return f"Only {available} left." if available > 0 else "Sold out."


def _of_validation(error: ValidationError) -> Any:
    by_field = getattr(error, "error_dict", None) or {"": error.error_list}
    for field, found in by_field.items():
        for one in found:
            for message in one.messages:
                yield _error(field, one.code or "invalid", message)


def _error(field: str, code: str, message: str) -> dict[str, str]:
    return {"field": field, "code": code, "message": message}


def _invalid(errors: list[dict[str, str]]) -> Problem:
    return Problem(400, "invalid", "Some fields are not valid.", errors=errors)


def place_document(place: Place) -> dict[str, Any]:
    """A place in a waiting room."""
    return {
        "sale": {"slug": place.sale.slug, "name": place.sale.name},
        "ticket": place.ticket,
        "admitted": place.admitted,
        "position": place.position,
        "estimated_wait_seconds": place.estimated_wait_seconds,
    }


def quote_document(quote: Any) -> dict[str, Any]:
    """A quote as the cart shows it: lines, totals, promo codes."""
    return {
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": money.payload(line.unit_amount, quote.currency),
                "line_total": money.payload(line.line_amount, quote.currency),
            }
            for line in quote.lines
        ],
        "totals": quote.totals(),
        "total": money.payload(quote.total_amount, quote.currency),
        "promo_codes": [promo.code for promo in quote.promos],
    }
