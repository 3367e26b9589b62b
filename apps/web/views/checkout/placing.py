"""From a posted form to an order, once: the form's idempotency key finds an order made before."""

import re
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.cart import carts
from apps.cart.carts import CartsUnavailable, CartView
from apps.core import rate_limits
from apps.customers import addresses
from apps.customers.errors import AddressBookFull, AddressInvalid
from apps.orders import intake
from apps.orders.errors import IdempotencyInFlight, OutcomeUnknown
from apps.orders.intake import Accepted, CheckoutRequest, ordered_carts
from apps.orders.intake.checkout_request import RequestIdentity, build, identify
from apps.orders.models import IdempotencyKey
from apps.orders.tokens import order_token
from apps.web import visitor_session
from apps.web.forms import CheckoutForm
from apps.web.views import waiting_room
from apps.web.views.checkout import draft
from apps.web.views.checkout.earlier_orders import another_cart, without_cart
from apps.web.views.checkout.page import (
    FIELDS,
    cart_now,
    key_of,
    methods_shown,
    quote_of,
    show_page,
)
from apps.web.views.checkout.refusals import REFUSALS, already_ordered, show_refusal

# A second press while the first is being committed waits this often, this long, for its answer.
IN_FLIGHT_TRIES, IN_FLIGHT_PAUSE = 6, 0.4  # seconds


@dataclass(frozen=True, slots=True)
class EarlierOrder:
    """The order that this form's key has made, and whether the form said the same then."""

    order_id: UUID
    same_form: bool


def place(request: HttpRequest) -> HttpResponse:
    """Place the order of the posted form and lead to it, or show the form with what is wrong."""
    key = key_of(request)
    identity = _identity(request, key)
    cart, earlier = _cart_and_earlier_order(request, identity)
    if earlier is not None:
        return _show_earlier(request, cart, earlier)
    if cart is None or not cart.lines:
        return without_cart(request)
    if (answer := another_cart(request, cart)) is not None:
        return answer
    plain = quote_of(request, cart, cart_now(cart), email=request.POST.get("email", ""))
    methods = methods_shown(plain, request.POST.get("country", ""))
    codes = {method.code for method in methods}
    form = CheckoutForm(request.POST, methods=codes, ships=plain.ships)
    if not form.is_valid():
        return show_page(request, cart, form, key=key, status=400)
    try:
        accepted = _place_patiently(_checkout_request(request, identity, cart, form))
    except REFUSALS as refused:
        return show_refusal(request, cart, form, key, refused)
    token = accepted.answer["order"]["token"]
    visitor_session.remember_order(request, accepted.order_id, token=token, cart=cart)
    draft.forget(request)
    visitor_session.leave_cart(request, closed=ordered_carts.leave(cart, accepted))
    if request.POST.get("save_address"):
        _save_address(request, form)
    return _to_order(request, accepted.order_id, token)


def _save_address(request: HttpRequest, form: CheckoutForm) -> None:
    """Put the address of the order into the customer's book; the order stands either way."""
    if not request.user.is_authenticated:
        return
    wanted = form.address()
    if any(addresses.as_dict(entry) == wanted for entry in addresses.list_addresses(request.user)):
        return
    try:
        addresses.create(request.user, wanted, make_default=False)
    except (AddressInvalid, AddressBookFull) as refused:
        messages.error(request, f"The address is not in your book: {refused}")
    else:
        messages.success(request, "The address is in your book for next time.")


def _identity(request: HttpRequest, key: str) -> RequestIdentity:
    signed_in = request.user.is_authenticated
    return identify(
        key,
        {name: request.POST.get(name, "") for name in (*FIELDS, "expected_total")},
        user_id=request.user.pk if signed_in else None,
        guest_secret="" if signed_in else visitor_session.guest_secret(request),
    )


def _cart_and_earlier_order(
    request: HttpRequest, identity: RequestIdentity
) -> tuple[CartView | None, EarlierOrder | None]:
    """The cart, then the order of this key. Raises CartsUnavailable, LimitReached.

    In this order: a request that finds the cart gone also finds the order that closed it.
    """
    given = visitor_session.guest_cart(request)
    try:
        cart = visitor_session.cart_of(request)
    except CartsUnavailable:
        earlier = _earlier_order(identity)
        if earlier is None or not earlier.same_form:
            raise
        return None, earlier
    if cart is not None:
        rate_limits.count(rate_limits.CHECKOUTS_OF_CART, str(cart.id))
    earlier = _earlier_order(identity)
    if earlier is None and cart is None and given is not None and carts.may_be_lost(*given):
        earlier = _wait_for_earlier_order(identity)
    return cart, earlier


def _earlier_order(identity: RequestIdentity) -> EarlierOrder | None:
    known = IdempotencyKey.objects.filter(scope=identity.scope, key=identity.key).first()
    if known is None:
        return None
    return EarlierOrder(known.order_id, bytes(known.fingerprint) == identity.fingerprint)


def _wait_for_earlier_order(identity: RequestIdentity) -> EarlierOrder | None:
    """For a cart that Redis has lost: the first press may still be committing its order."""
    for _ in range(IN_FLIGHT_TRIES):
        time.sleep(IN_FLIGHT_PAUSE)
        if (earlier := _earlier_order(identity)) is not None:
            return earlier
    return None


def _show_earlier(
    request: HttpRequest, cart: CartView | None, earlier: EarlierOrder
) -> HttpResponse:
    order_id = earlier.order_id
    # The process of the first press may have died before it closed the cart.
    ordered_carts.leave_known(cart, order_id)
    if earlier.same_form or cart is None or not cart.lines:
        return _to_order(request, order_id, order_token(order_id))
    return show_page(
        request,
        cart,
        CheckoutForm(initial={name: request.POST.get(name, "") for name in FIELDS}),
        key=str(uuid4()),
        notice=already_ordered(order_id, "This form has made an order before."),
        status=422,
    )


def _checkout_request(
    request: HttpRequest, identity: RequestIdentity, cart: CartView, form: CheckoutForm
) -> CheckoutRequest:
    return build(
        identity,
        request.META,
        email=form.cleaned_data["email"],
        shipping_address=form.address(),
        shipping_method=form.cleaned_data["shipping_method"],
        payment_method=form.cleaned_data["payment_method"],
        expected_total=_expected_total(request),
        user_id=request.user.pk if request.user.is_authenticated else None,
        base_url=f"{request.scheme}://{request.get_host()}",
        tickets=waiting_room.tickets_of(request),
        cart=cart,
    )


def _expected_total(request: HttpRequest) -> tuple[int, str]:
    """What the shopper saw, as the form says; without it a total that no quote has."""
    typed = request.POST.get("expected_total", "")
    seen = int(typed) if re.fullmatch(r"\d{1,12}", typed, re.ASCII) else -1
    return seen, settings.SHOP_CURRENCY


def _place_patiently(order: CheckoutRequest) -> Accepted:
    """Place the order; while the same form is being committed, wait for the outcome of that."""
    for _ in range(IN_FLIGHT_TRIES):
        try:
            return intake.place_order(order)
        except (IdempotencyInFlight, OutcomeUnknown):
            time.sleep(IN_FLIGHT_PAUSE)
    return intake.place_order(order)


def _to_order(request: HttpRequest, order_id: UUID, token: str) -> HttpResponse:
    address = reverse("web:order", args=[order_id])
    return redirect(address if request.user.is_authenticated else f"{address}?token={token}")
