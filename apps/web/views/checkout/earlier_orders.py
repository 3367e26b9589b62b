"""Where a checkout ends whose cart is gone: at the order made of it, or at the filled form.

A cart is gone when it was ordered in another tab, when the session ended, after a sign-out,
or when Redis was emptied. The form says what was in it (form_cart.py).
"""

from datetime import timedelta
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from apps.cart.carts import CartView
from apps.orders.models import Order
from apps.orders.tokens import order_token
from apps.web import visitor_session
from apps.web.forms import CheckoutForm
from apps.web.order_endings import is_payment_failure
from apps.web.views.checkout import form_cart
from apps.web.views.checkout.page import FIELDS, Notice, key_of, show_page

STALE = Notice(
    "You have signed in or out since, or this page was open for long.",
    "Nothing was ordered and nothing you typed is lost. Please look it over and place the order"
    " again.",
)
PUT_TOGETHER = Notice(
    "We had lost sight of your cart.",
    "It is back, as this page knew it. Nothing was ordered; please look it over and place the"
    " order again.",
)
ORDERED_ELSEWHERE = Notice(
    "This cart may have been ordered already.",
    "If you pressed the button a moment ago, the confirmation is on its way by mail. Place the"
    " order again only if you want all of it twice.",
)
A_MOMENT = timedelta(hours=1)  # an older order did not empty the cart that is looked for
PAY_ANOTHER_WAY = "Everything is as you left it: choose another way to pay and place the order."


def without_cart(request: HttpRequest, *, status: int = 409) -> HttpResponse:
    """The answer to a posted form whose cart is gone or empty.

    Raises CartsUnavailable, LimitReached.
    """
    kept = form_cart.read(request)
    if kept is None:
        return redirect("web:cart")
    if (order := order_of_cart(request, kept.id)) is not None:
        return to_order(request, order)
    cart = form_cart.put_together(request, kept)
    if cart is None:
        return redirect("web:cart")
    # Without a right to see it, only that there is one is said.
    live = Order.objects.filter(cart_id=kept.id).exclude(status=Order.Status.CANCELLED)
    typed = {name: request.POST.get(name, "").replace("\x00", "") for name in FIELDS}
    return show_page(
        request,
        cart,
        CheckoutForm(initial=typed),
        key=key_of(request),
        notice=ORDERED_ELSEWHERE if live.exists() else PUT_TOGETHER,
        status=status,
    )


def another_cart(request: HttpRequest, cart: CartView) -> HttpResponse | None:
    """The filled form, if the form's cart was ordered and `cart` is the one that followed it.

    What is in it now was never on that form. None: the form may be placed.
    """
    kept = form_cart.read(request)
    if kept is None or kept.id == cart.id:
        return None
    order = order_of_cart(request, kept.id)
    if order is None:
        return None
    notice = Notice(
        f"What this page showed was ordered as {order.number}.",
        "Nothing was ordered a second time. Below is what has come into your cart since.",
        link=_address(request, order),
        link_text="Show that order",
    )
    typed = {name: request.POST.get(name, "").replace("\x00", "") for name in FIELDS}
    form = CheckoutForm(initial=typed)
    return show_page(request, cart, form, key=str(uuid4()), notice=notice, status=409)


def order_of_cart(request: HttpRequest, cart_id: UUID) -> Order | None:
    """The visitor's own order of this cart, if it was not cancelled."""
    live = Order.objects.filter(cart_id=cart_id).exclude(status=Order.Status.CANCELLED).first()
    return live if live is not None and _is_own(request, live) else None


def to_latest_order(request: HttpRequest) -> HttpResponse | None:
    """To the order that emptied the visitor's cart a moment ago; None where none did."""
    latest = visitor_session.latest_order(request)
    recent = Order.objects.filter(pk=latest, placed_at__gt=timezone.now() - A_MOMENT)
    order = recent.exclude(status=Order.Status.CANCELLED).first() if latest else None
    return to_order(request, order) if order is not None else None


def to_order(request: HttpRequest, order: Order) -> HttpResponse:
    messages.info(request, f"This cart was ordered as {order.number}. Here is how it stands.")
    return redirect(_address(request, order))


def after_failed_payment(request: HttpRequest) -> Notice | None:
    """Why the form is shown again after an order that could not be paid (`?after=<order>`)."""
    try:
        asked = UUID(request.GET.get("after", ""))
    except ValueError:
        return None
    order = Order.objects.filter(pk=asked).first()
    if order is None or not _is_own(request, order) or not is_payment_failure(order):
        return None
    last = order.events.order_by("-seq").first()
    return Notice("The payment did not go through.", f"{last.message} {PAY_ANOTHER_WAY}")


def _is_own(request: HttpRequest, order: Order) -> bool:
    mine = request.user.is_authenticated and order.user_id == request.user.pk
    return mine or visitor_session.own_order(request, order.pk) is not None


def _address(request: HttpRequest, order: Order) -> str:
    address = reverse("web:order", args=[order.pk])
    return address if request.user.is_authenticated else f"{address}?token={order_token(order.pk)}"
