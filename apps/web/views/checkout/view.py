"""What /checkout/ answers: the form, the form priced again, or the order that it places."""

from contextlib import suppress
from uuid import uuid4

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.cart.carts import CartsUnavailable
from apps.core import rate_limits
from apps.core.card_data import is_card_number
from apps.core.error_pages import error_page, too_many
from apps.core.rate_limits import LimitReached, by_address, by_user, limited
from apps.customers import addresses
from apps.customers.errors import AddressNotFound
from apps.customers.models import Address
from apps.flash_sales import waiting_room as rooms
from apps.web import visitor_session
from apps.web.forms import CheckoutForm
from apps.web.sandbox_cards import CARDS, stripe_key
from apps.web.views import waiting_room
from apps.web.views.checkout import draft
from apps.web.views.checkout.earlier_orders import (
    STALE,
    after_failed_payment,
    to_latest_order,
    without_cart,
)
from apps.web.views.checkout.page import (
    FIELDS,
    NO_PAYMENT,
    cart_now,
    key_of,
    quote_of,
    show_page,
)
from apps.web.views.checkout.placing import place
from apps.web.views.checkout.repairs import TAKE_LEFT, WITHOUT, repaired

# A string of digits in these is our own token or an amount.
MAY_HOLD_DIGITS = frozenset({"csrfmiddlewaretoken", "key", "cart", "expected_total"})
LIMITS = (
    (rate_limits.CHECKOUTS_OF_ADDRESS, by_address),
    (rate_limits.CHECKOUTS_OF_USER, by_user),
)


def refuse_for_now(request: HttpRequest, reached: LimitReached) -> HttpResponse:
    """The page of a reached limit; what was typed is kept, as after any other refusal."""
    with suppress(BadRequest):  # card data is kept nowhere
        refuse_card_data(request)
        # A script that keeps no cookies must not make a row with each request.
        if draft.has_session(request):
            draft.keep(request)
    return too_many(request, reached)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited(*LIMITS, answer=refuse_for_now)
def checkout(request: HttpRequest) -> HttpResponse:
    """Show the form; POST places the order, or prices the form again where `refresh` is sent."""
    try:
        if request.method != "POST":
            return _form(request)
        refuse_card_data(request)
        if not request.POST.get("refresh"):
            return _place(request)
        draft.keep(request)
        if request.POST["refresh"] == "keep":
            return HttpResponse(status=204)  # the page is being left: no answer is read
        return _refresh(request)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)


def _place(request: HttpRequest) -> HttpResponse:
    """Place the order; what was typed is kept where none was made.

    Only there: of two presses of one button the second would write the session as it was before the
    first, and the order would be lost from it.
    """
    try:
        response = place(request)
    except CartsUnavailable:
        draft.keep(request)
        request.session.save()  # Django keeps no session with an answer of 5xx
        raise
    if response.status_code != 302:
        draft.keep(request)
        if response.status_code >= 500:
            request.session.save()
    return response


@sensitive_post_parameters()
@limited(*LIMITS, answer=refuse_for_now)
def checkout_again(request: HttpRequest) -> HttpResponse:
    """The filled form for a POST whose CSRF token is out of date; orders nothing.

    The session has changed since the page was opened: a sign-in or sign-out in another tab, or
    cookies that were cleared. The caller has made sure that the form came from a page of ours.
    """
    try:
        refuse_card_data(request)
        draft.keep(request)
        cart = visitor_session.cart_of(request)
        if cart is None or not cart.lines:
            return without_cart(request, status=403)
        return show_page(
            request, cart, _typed_form(request), key=key_of(request), notice=STALE, status=403
        )
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)


def _form(request: HttpRequest) -> HttpResponse:
    cart = visitor_session.cart_of(request)
    if cart is None or not cart.lines:
        return to_latest_order(request) or redirect("web:cart")
    tickets = waiting_room.tickets_of(request)
    closed = rooms.closed((line.sku for line in cart.lines), tickets)
    if closed is not None:
        return redirect(waiting_room.address_of(closed.slug, onward=reverse("web:checkout")))
    form = CheckoutForm(initial=_initial(request))
    notice = after_failed_payment(request)
    return show_page(request, cart, form, key=str(uuid4()), notice=notice)


def refuse_card_data(request: HttpRequest) -> None:
    """Raise BadRequest for a card number, before anything else reads the form.

    Card numbers go from the browser to the gateway and never to this server.
    """
    for name, value in request.POST.items():
        if name not in MAY_HOLD_DIGITS and is_card_number(value, field=name):
            raise BadRequest("card data refused")


def _initial(request: HttpRequest) -> dict[str, str]:
    """What is known before anything is typed, and what was typed on an earlier visit."""
    initial = {"country": "US", "payment_method": _first_choice()}
    typed = draft.kept(request)
    if request.user.is_authenticated:
        initial |= {"email": request.user.email, "name": request.user.name}
        book = addresses.list_addresses(request.user)
        written = any(
            typed.get(name) for name in addresses.FIELDS if name not in ("name", "country")
        )
        if book and not written:
            typed = {name: typed[name] for name in typed if name not in addresses.FIELDS}
            initial |= addresses.as_dict(book[0]) | {"saved": str(book[0].pk)}
        else:
            initial["saved"] = entry_of(book, typed)
    return initial | {name: text for name, text in typed.items() if text}


def entry_of(book: list[Address], typed: dict[str, str]) -> str:
    """The id of the entry of the book that says the same as `typed`; "" where none does."""
    for entry in book:
        if all(text == typed.get(name, "") for name, text in addresses.as_dict(entry).items()):
            return str(entry.pk)
    return ""


def _first_choice() -> str:
    """How the shopper pays unless they choose otherwise; Stripe's form asks for itself."""
    return "" if stripe_key() else CARDS[0].token


def _refresh(request: HttpRequest) -> HttpResponse:
    """The same form priced again: another country, shipping method, entry of the address book, or
    without a code."""
    cart = visitor_session.cart_of(request)
    if cart is None or not cart.lines:
        return without_cart(request)
    wanted = request.POST["refresh"]
    if wanted.startswith((TAKE_LEFT, WITHOUT)):
        email = request.POST.get("email", "")
        quote = quote_of(request, cart, cart_now(cart), email=email)
        cart = repaired(request, cart, quote, wanted)
        if not cart.lines:
            return redirect("web:cart")
    return show_page(request, cart, _typed_form(request), key=key_of(request))


def _typed_form(request: HttpRequest) -> CheckoutForm:
    """The form as typed, without a look at what is missing in it.

    With `refresh=saved` the address is that of the chosen entry of the book, or empty.
    """
    typed = {name: request.POST.get(name, "").replace("\x00", "") for name in FIELDS}
    saved = request.POST.get("saved", "")
    if request.POST.get("refresh") == "saved" and request.user.is_authenticated:
        try:
            entry = addresses.find(request.user, int(saved[:18]) if saved.isdigit() else 0)
            typed |= addresses.as_dict(entry)
        except AddressNotFound:
            empty = dict.fromkeys(addresses.FIELDS, "") | {"country": typed["country"]}
            typed, saved = typed | empty, ""
    if typed["payment_method"] == NO_PAYMENT:  # of a total of nothing, which may be another now
        typed["payment_method"] = _first_choice()
    return CheckoutForm(initial=typed | {"saved": saved})
