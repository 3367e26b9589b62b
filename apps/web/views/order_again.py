"""Ordering once more what was not bought: from a cancelled order back to cart or checkout."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.cart import carts
from apps.cart.carts import CartNotFound, CartsUnavailable, CartView
from apps.core import rate_limits
from apps.core.error_pages import error_page, too_many
from apps.core.rate_limits import WRITES, limited
from apps.orders.models import Order
from apps.web import visitor_session
from apps.web.order_endings import is_payment_failure
from apps.web.views.checkout import draft, form_cart
from apps.web.views.checkout.form_cart import FormCart
from apps.web.views.orders import can_reopen, find_order, order_address


@require_POST
@limited(*WRITES, answer=too_many)
def order_again(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Put the lines of a cancelled order back into the cart.

    After a failed payment the way leads on to the checkout's form, filled in as it was, for
    all who may see the order: its mail has a link to it.
    """
    found, token = find_order(request, order_id)
    unpaid = is_payment_failure(found)
    if not unpaid and not can_reopen(request, found):
        raise Http404
    try:
        cart = _reopened(request, found) or (_put_together(request, found) if unpaid else None)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    if cart is None:
        messages.error(request, "That cart is gone by now. The things themselves may not be.")
        return redirect(order_address(found, token))
    if not unpaid:
        return redirect("web:cart")
    draft.keep_of_order(request, found)
    if visitor_session.own_order(request, found.pk) is None:
        visitor_session.remember_order(request, found.pk, token=token, cart=None)
    return redirect(f"{reverse('web:checkout')}?after={found.pk}")


def _reopened(request: HttpRequest, found: Order) -> CartView | None:
    """The order's own cart, open again; None where it is gone or another visitor's."""
    if found.cart_id is None or not can_reopen(request, found):
        return None
    own = visitor_session.own_order(request, found.pk)
    rate_limits.count(rate_limits.WRITES_OF_CART, str(found.cart_id))
    # Find the cart that followed it now, before the old one is an open cart again.
    visitor_session.cart_of(request)
    try:
        cart = carts.reopen(
            found.cart_id,
            user=request.user if request.user.is_authenticated else None,
            token=own.cart_token if own else None,
        )
    except CartNotFound:
        return None
    visitor_session.bring_back(request, cart)
    return cart


def _put_together(request: HttpRequest, found: Order) -> CartView | None:
    """The visitor's cart with the lines of `found`; None where nothing of it is sold now."""
    lines = tuple(found.lines.values_list("sku", "quantity"))
    return form_cart.put_together(request, FormCart(found.pk, lines, tuple(found.promo_codes)))
