"""What the checkout's page says where no order was made: the same form, and why."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.cart.carts import CartView
from apps.core import money
from apps.flash_sales.waiting_room import NotYourTurn
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    NotQuotable,
    OutcomeUnknown,
    OutOfStock,
    Overloaded,
    PriceChanged,
    TooManyUnpaid,
)
from apps.orders.intake import ordered_carts
from apps.orders.tokens import order_token
from apps.promos.errors import PromoExhausted, PromoUsed
from apps.web.forms import CheckoutForm
from apps.web.views import waiting_room
from apps.web.views.checkout.page import Notice, cart_now, quote_of, show_page

REFUSALS = (
    OutOfStock,
    PriceChanged,
    NotQuotable,
    PromoExhausted,
    CartAlreadyOrdered,
    IdempotencyKeyReused,
    IdempotencyInFlight,
    Overloaded,
    OutcomeUnknown,
    NotYourTurn,
    TooManyUnpaid,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A notice, and how it is answered. `retry_after` is in seconds; 0 sends no header."""

    notice: Notice
    status: int = 409
    retry_after: int = 0


def show_refusal(
    request: HttpRequest, cart: CartView, form: CheckoutForm, key: str, error: Exception
) -> HttpResponse:
    """The same form with what was typed, and why there is no order. `error` is of REFUSALS."""
    if isinstance(error, CartAlreadyOrdered):
        ordered_carts.leave_known(cart, error.order_id)
    if isinstance(error, IdempotencyKeyReused):
        key = str(uuid4())
    refusal = _refusal(request, cart, error)
    response = show_page(request, cart, form, key=key, notice=refusal.notice, status=refusal.status)
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    if isinstance(error, NotYourTurn):
        waiting_room.remember(response, error.place)
    return response


def already_ordered(order_id: UUID, title: str) -> Notice:
    """That the form or the cart has an order, and where it is."""
    return Notice(
        title,
        "Nothing was ordered a second time.",
        link=f"{reverse('web:order', args=[order_id])}?token={order_token(order_id)}",
        link_text="Show that order",
    )


def _refusal(request: HttpRequest, cart: CartView, error: Exception) -> Refusal:
    match error:
        case OutOfStock():
            return Refusal(_out_of_stock(request, cart, error))
        case PriceChanged():
            return Refusal(_price_changed(error))
        case NotQuotable():
            return Refusal(_not_quotable(error))
        case PromoUsed() | PromoExhausted():
            return Refusal(_promo_gone(error))
        case CartAlreadyOrdered():
            title = f"This cart was ordered as {error.number}."
            return Refusal(already_ordered(error.order_id, title))
        case IdempotencyKeyReused():
            return Refusal(_form_changed(), status=422)
        case NotYourTurn():
            return Refusal(_queue(error), status=429, retry_after=error.place.look_again_in)
        case TooManyUnpaid():
            notice = Notice("First things first.", f"{error} Nothing was ordered.")
            return Refusal(notice, status=429, retry_after=error.retry_after)
        case Overloaded():
            return Refusal(_overloaded(), status=503, retry_after=error.retry_after)
        case _:
            return Refusal(_outcome_unknown(), status=503, retry_after=2)


def _out_of_stock(request: HttpRequest, cart: CartView, error: OutOfStock) -> Notice:
    names = {line.sku: line.name for line in quote_of(request, cart, cart_now(cart)).lines}
    return Notice(
        "Somebody was quicker.",
        "Nothing was ordered. What is left:",
        tuple(
            f"{names.get(line.sku, line.sku)}: "
            + (f"only {line.available} left" if line.available > 0 else "sold out")
            for line in error.lines
        ),
        reverse("web:cart"),
        "Change the cart",
    )


def _price_changed(error: PriceChanged) -> Notice:
    total = money.for_people(error.quote.total_amount, error.quote.currency)
    return Notice(
        f"The total is now {total}.",
        "Delivery, tax or a price has changed since you saw this page. If that is fine"
        " with you, place the order again.",
    )


def _not_quotable(error: NotQuotable) -> Notice:
    codes = tuple(dict.fromkeys(p.promo_code for p in error.problems if p.promo_code))
    if codes and all(problem.promo_code for problem in error.problems):
        return Notice(
            error.problems[0].message,
            "Nothing was ordered. You can go on without the code; all that you typed stays.",
        )
    return Notice(
        "Something in the cart stands in the way.",
        "Nothing was ordered.",
        tuple(problem.message for problem in error.problems),
        reverse("web:cart"),
        "Look at the cart",
    )


def _promo_gone(error: PromoExhausted) -> Notice:
    if isinstance(error, PromoUsed):
        text = "Once is all it gives. Nothing was ordered; you can go on without it."
    else:
        text = "The last use went to somebody else. Nothing was ordered; you can go on without it."
    return Notice(str(error), text)


def _form_changed() -> Notice:
    return Notice(
        "This form was sent before with other words in it.",
        "Please look it over and send it once more.",
    )


def _queue(error: NotYourTurn) -> Notice:
    sale = error.place.sale
    return Notice(
        f"There is a queue for {sale.name}.",
        f"You are number {error.place.position}. Nothing was ordered; wait your turn,"
        " then place the order again.",
        link=waiting_room.address_of(sale.slug, onward=reverse("web:checkout")),
        link_text="Wait in the queue",
    )


def _overloaded() -> Notice:
    return Notice(
        "The kitchen is full for a moment.",
        "Nothing was ordered and nothing was charged. Please place the order again.",
    )


def _outcome_unknown() -> Notice:
    return Notice(
        "We are not sure yet.",
        "Your order may already stand. Press the button again: it cannot be ordered twice.",
    )
