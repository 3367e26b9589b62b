"""Which answer each refusal of the domain becomes over HTTP. The contract's codes are here.

The domain raises named exceptions and knows no status codes; every endpoint passes what it does not
expect through `as_problem`. What the table does not have is answered by apps/core/problems.py.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import ValidationError

from apps.api import refused_checkouts
from apps.api.contract.problem import FieldProblem
from apps.api.contract.reading import invalid
from apps.api.contract.waiting_room import place_document
from apps.cart import errors as carts
from apps.core.problems import Problem, overloaded
from apps.core.rate_limits import LimitReached
from apps.customers import errors as customers
from apps.flash_sales.waiting_room import NoSuchRoom, NotYourTurn
from apps.orders import errors as orders
from apps.promos.errors import PromoError, PromoExhausted
from apps.shipping.errors import NotShippable

Answer = Callable[[Any], Problem]


def as_problem(error: Exception) -> Exception:
    """The Problem that `error` is to a client, or `error` itself."""
    for kind in type(error).__mro__:
        if (answer := ANSWERS.get(kind)) is not None:
            return answer(error)
    return error


def _says(status: int, code: str, detail: str) -> Answer:
    """An answer that is always the same, with the error's `retry_after` (seconds) if it has one."""

    def answer(error: Any) -> Problem:
        wait = getattr(error, "retry_after", None)
        headers = {} if wait is None else {"Retry-After": str(wait)}
        return Problem(status, code, detail, headers=headers)

    return answer


def _own_words(status: int) -> Answer:
    """An answer with the error's own code and text."""
    return lambda error: Problem(status, error.code, str(error))


def _at_field(field: str) -> Answer:
    """400 with the error's own code and text at `field`."""
    return lambda error: invalid([{"field": field, "code": error.code, "message": str(error)}])


def _listed(errors: list[Any]) -> Problem:
    """400 for (field, code, message) each."""
    return invalid([{"field": f, "code": code, "message": text} for f, code, text in errors])


def _return_refused(error: orders.ReturnRefused) -> Problem:
    for _, code, message in error.errors:
        if code == "not_returnable":
            return Problem(409, code, message)
    return _listed(error.errors)


def _rate_limited(error: LimitReached) -> Problem:
    detail = "Too many requests; wait a little."
    return Problem(429, "rate_limited", detail, headers=error.headers)


def _not_your_turn(error: NotYourTurn) -> Problem:
    return Problem(
        429,
        "waiting_room",
        "There is a queue for this. Look at your place with the ticket, then come back.",
        headers={"Retry-After": str(error.place.look_again_in)},
        extra={"waiting_room": place_document(error.place)},
    )


def _not_available(sku: str, code: str, message: str, available: int) -> Problem:
    """409 for one SKU, of which `available` units can be had."""
    found = {"field": sku, "code": code, "message": message, "available": available}
    return Problem(409, code, message, errors=[found], extra={"available": available})


def _insufficient_stock(error: carts.InsufficientStock) -> Problem:
    message = refused_checkouts.left(error.available)
    return _not_available(error.sku, "insufficient_stock", message, error.available)


def _limited(error: carts.QuantityLimited) -> Problem:
    return _not_available(error.sku, error.code, str(error), error.allowed)


def _of_validation(error: ValidationError) -> Iterator[FieldProblem]:
    """Django's own errors, by field where it names one."""
    by_field = getattr(error, "error_dict", None) or {"": error.error_list}
    for field, found in by_field.items():
        for one in found:
            for message in one.messages:
                yield {"field": field, "code": one.code or "invalid", "message": message}


_NOTHING_HERE = _says(404, "not_found", "There is nothing here for you.")
# By the exception; of a subclass that is not here, by the class that it derives from.
ANSWERS: dict[type, Answer] = {
    # carts
    carts.CartNotFound: _NOTHING_HERE,
    carts.CartClosed: _says(409, "cart_closed", "This cart was ordered; a new one is open."),
    carts.CartsUnavailable: lambda error: overloaded(2),
    carts.InsufficientStock: _insufficient_stock,
    carts.QuantityLimited: _limited,
    carts.UnknownSku: _says(404, "unknown_sku", "This is not sold here."),
    carts.InvalidQuantity: _at_field("quantity"),
    carts.TooManyLines: _own_words(409),
    carts.TooManyPromos: _own_words(400),
    NotShippable: _at_field("shipping_method"),
    # A code that was good and is not any more is a conflict; one that never was, a bad request.
    PromoError: _own_words(400),
    PromoExhausted: _own_words(409),
    # checkouts
    orders.OutOfStock: refused_checkouts.out_of_stock,
    orders.PriceChanged: refused_checkouts.price_changed,
    orders.NotQuotable: refused_checkouts.not_quotable,
    orders.CartAlreadyOrdered: refused_checkouts.cart_already_ordered,
    orders.TooManyUnpaid: lambda error: Problem(
        429, "too_many_unpaid", str(error), headers={"Retry-After": str(error.retry_after)}
    ),
    orders.IdempotencyInFlight: _says(
        409,
        "idempotency_in_flight",
        "The first request with this key has not been answered yet.",
    ),
    orders.IdempotencyKeyReused: _says(
        422, "idempotency_key_reused", "This key was used for another request."
    ),
    orders.Overloaded: lambda error: overloaded(error.retry_after),
    orders.OutcomeUnknown: _says(
        503,
        "outcome_unknown",
        "We cannot tell yet whether this was ordered. Send it again with the same key.",
    ),
    # orders
    orders.OrderNotFound: _NOTHING_HERE,
    orders.NotCancellable: _says(409, "not_cancellable", "This order can no longer be cancelled."),
    orders.NotPayable: _says(
        409, "not_payable", "This order does not wait for another card, or its time is over."
    ),
    orders.ReturnRefused: _return_refused,
    # accounts
    customers.AddressNotFound: _NOTHING_HERE,
    customers.EmailTaken: _at_field("email"),
    customers.AddressInvalid: lambda error: _listed(error.errors),
    customers.AddressBookFull: _own_words(409),
    ValidationError: lambda error: invalid(list(_of_validation(error))),
    # limits and waiting rooms
    LimitReached: _rate_limited,
    NotYourTurn: _not_your_turn,
    NoSuchRoom: _says(404, "not_found", "There is no such waiting room, or not with this ticket."),
}
