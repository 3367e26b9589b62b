"""The checkout: one page, one order, however often it is sent.

The page carries an idempotency key of its own. Sent twice (a double click, the back button, a
reload), the second finds the order of the first by that key and leads to it. A form that comes back
with an error keeps its key, because nothing was ordered under it.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.cart import carts
from apps.cart.carts import CartsUnavailable, CartView
from apps.customers import addresses, countries
from apps.customers.errors import AddressNotFound
from apps.customers.models import Address
from apps.orders import intake
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    NotQuotable,
    OutcomeUnknown,
    OutOfStock,
    Overloaded,
    PriceChanged,
)
from apps.orders.intake import Accepted, CheckoutRequest
from apps.orders.models import IdempotencyKey
from apps.orders.quote import Quote, quote_lines
from apps.orders.tokens import order_token
from apps.promos.errors import PromoExhausted
from apps.sales import waiting_room as rooms
from apps.sales.waiting_room import NotYourTurn
from apps.shipping import rates
from apps.shop import cards, visitors
from apps.shop.forms import CheckoutForm
from apps.shop.sandbox_cards import CARDS
from apps.shop.views import waiting_room
from apps.shop.views.errors import error_page, too_many
from storefront import money, rate_limits
from storefront.card_data import is_card_number
from storefront.rate_limits import by_address, by_user, limited

KEY = re.compile(r"[0-9a-f-]{32,36}", re.ASCII)
FIELDS = ("email", *addresses.FIELDS, "shipping_method", "payment_method")
# A second press while the first is being committed waits this often, this long, for its answer.
IN_FLIGHT_TRIES, IN_FLIGHT_PAUSE = 6, 0.4  # seconds
# A digit string in these is a phone number, a token of ours or an amount.
MAY_HOLD_DIGITS = frozenset({"csrfmiddlewaretoken", "key", "expected_total"})


@dataclass(frozen=True, slots=True)
class Notice:
    """What stands above the form when no order was made."""

    title: str
    text: str = ""
    lines: tuple[str, ...] = ()
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class MethodShown:
    """A way to ship with the price that this cart pays for it (minor units)."""

    code: str
    name: str
    days: str
    price_amount: int


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited(
    (rate_limits.CHECKOUTS_OF_ADDRESS, by_address),
    (rate_limits.CHECKOUTS_OF_USER, by_user),
    answer=too_many,
)
def checkout(request: HttpRequest) -> HttpResponse:
    try:
        if request.method != "POST":
            cart = visitors.cart_of(request)
            if cart is None or not cart.lines:
                return redirect("shop:cart")
            tickets = waiting_room.tickets_of(request)
            closed = rooms.closed((line.sku for line in cart.lines), tickets)
            if closed is not None:
                return redirect(
                    waiting_room.address_of(closed.slug, onward=reverse("shop:checkout"))
                )
            return _page(request, cart, CheckoutForm(initial=_beginning(request)), key=str(uuid4()))
        _refuse_card_data(request)
        if request.POST.get("refresh"):
            return _refresh(request)
        return _place(request)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)


def _refuse_card_data(request: HttpRequest) -> None:
    """Card numbers never reach this server; one that does is refused before anything reads it."""
    for name, value in request.POST.items():
        if name not in MAY_HOLD_DIGITS and is_card_number(value, field=name):
            raise BadRequest("card data refused")


def _beginning(request: HttpRequest) -> dict[str, str]:
    """What is known before anything is typed."""
    initial = {"country": "US", "payment_method": "" if _stripe_key() else CARDS[0].token}
    if request.user.is_authenticated:
        initial |= {"email": request.user.email, "name": request.user.name}
        book = addresses.list_addresses(request.user)
        if book:
            initial |= addresses.as_dict(book[0]) | {"saved": str(book[0].pk)}
    return initial


def _refresh(request: HttpRequest) -> HttpResponse:
    """Another country, another speed, another entry of the book: the same form, priced anew."""
    cart = visitors.cart_of(request)
    if cart is None or not cart.lines:
        return redirect("shop:cart")
    typed = {name: request.POST.get(name, "").replace("\x00", "") for name in FIELDS}
    saved = request.POST.get("saved", "")
    if request.POST["refresh"] == "saved" and saved.isdigit() and request.user.is_authenticated:
        try:
            typed |= addresses.as_dict(addresses.find(request.user, int(saved[:18])))
        except AddressNotFound:
            saved = ""
    return _page(request, cart, CheckoutForm(initial=typed | {"saved": saved}), key=_key(request))


def _key(request: HttpRequest) -> str:
    """The form's key, or a new one where it came without."""
    key = request.POST.get("key", "")
    return key if KEY.fullmatch(key) else str(uuid4())


# --- Placing the order ----------------------------------------------------------------------------


def _place(request: HttpRequest) -> HttpResponse:
    key = _key(request)
    scope = f"user:{request.user.pk}" if request.user.is_authenticated else "guest"
    fingerprint = _fingerprint(request, scope)
    given = visitors.guest_cart_id(request)
    # In this order: who finds the cart gone already finds the order that took it.
    try:
        cart = visitors.cart_of(request)
    except CartsUnavailable:
        before = _placed_before(scope, key, fingerprint)
        if before is None or not before[1]:
            raise
        return _to_order(request, before[0], order_token(before[0]))
    if cart is not None:
        rate_limits.count(rate_limits.CHECKOUTS_OF_CART, str(cart.id))
    before = _placed_before(scope, key, fingerprint)
    if before is None and cart is None and given is not None and carts.may_be_lost(given):
        before = _placed_meanwhile(scope, key, fingerprint)
    if before is not None:
        order_id, same = before
        if same or cart is None or not cart.lines:
            return _to_order(request, order_id, order_token(order_id))
        return _page(
            request,
            cart,
            CheckoutForm(initial=_typed(request)),
            key=str(uuid4()),
            notice=_already(order_id, "This form has made an order before."),
            status=422,
        )
    if cart is None or not cart.lines:
        return redirect("shop:cart")
    country = request.POST.get("country", "")
    methods = _methods(request, cart, country, request.POST.get("region", ""))
    form = CheckoutForm(request.POST, methods={method.code for method in methods})
    if not form.is_valid():
        return _page(request, cart, form, key=key, status=400)
    wish = CheckoutRequest(
        scope=scope,
        key=key,
        fingerprint=fingerprint,
        lines=tuple((line.sku, line.quantity) for line in cart.lines),
        email=form.cleaned_data["email"],
        shipping_address=form.address(),
        shipping_method=form.cleaned_data["shipping_method"],
        payment_method=form.cleaned_data["payment_method"],
        user_id=request.user.pk if request.user.is_authenticated else None,
        cart_id=cart.id,
        promo_codes=cart.promo_codes,
        expected_total=_expected_total(request),
        base_url=f"{request.scheme}://{request.get_host()}",
        tickets=waiting_room.tickets_of(request),
    )
    try:
        accepted = _place_patiently(wish)
    except (
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
    ) as refused:
        return _refused(request, cart, form, key, refused)
    visitors.remember_order(
        request, accepted.order_id, token=accepted.answer["order"]["token"], cart=cart
    )
    carts.close(cart)
    visitors.forget_cart(request)
    return _to_order(request, accepted.order_id, accepted.answer["order"]["token"])


def _place_patiently(wish: CheckoutRequest) -> Accepted:
    """Ask the intake; where the same form is being answered this moment, wait for that answer."""
    for _ in range(IN_FLIGHT_TRIES):
        try:
            return intake.place_order(wish)
        except (IdempotencyInFlight, OutcomeUnknown):
            time.sleep(IN_FLIGHT_PAUSE)
    return intake.place_order(wish)


def _placed_before(scope: str, key: str, fingerprint: bytes) -> tuple[UUID, bool] | None:
    """The order that this form made, and whether by the same words; its sender knows the key."""
    known = IdempotencyKey.objects.filter(scope=scope, key=key).first()
    return (known.order_id, bytes(known.fingerprint) == fingerprint) if known else None


def _placed_meanwhile(scope: str, key: str, fingerprint: bytes) -> tuple[UUID, bool] | None:
    """As _placed_before, of a cart that Redis has lost: the first press may still be committing."""
    for _ in range(IN_FLIGHT_TRIES):
        time.sleep(IN_FLIGHT_PAUSE)
        if (before := _placed_before(scope, key, fingerprint)) is not None:
            return before
    return None


def _fingerprint(request: HttpRequest, scope: str) -> bytes:
    """SHA-256 of what was sent and by whom."""
    sent = {name: request.POST.get(name, "") for name in (*FIELDS, "expected_total")}
    return hashlib.sha256(f"{scope}\n{json.dumps(sent, sort_keys=True)}".encode()).digest()


def _expected_total(request: HttpRequest) -> tuple[int, str]:
    """What the shopper saw, as the form says; a total that nobody saw is never the quote's."""
    typed = request.POST.get("expected_total", "")
    seen = int(typed) if re.fullmatch(r"\d{1,12}", typed, re.ASCII) else -1
    return seen, settings.SHOP_CURRENCY


def _to_order(request: HttpRequest, order_id: UUID, token: str) -> HttpResponse:
    address = reverse("shop:order", args=[order_id])
    return redirect(address if request.user.is_authenticated else f"{address}?token={token}")


def _already(order_id: UUID, title: str) -> Notice:
    return Notice(
        title,
        "Nothing was ordered a second time.",
        link=f"{reverse('shop:order', args=[order_id])}?token={order_token(order_id)}",
        link_text="Show that order",
    )


def _refused(
    request: HttpRequest, cart: CartView, form: CheckoutForm, key: str, refused: Exception
) -> HttpResponse:
    """The same form with what was typed, and why there is no order."""
    status, retry_after = 409, 0
    match refused:
        case OutOfStock():
            names = {line.sku: line.name for line in _quote(request, cart).lines}
            notice = Notice(
                "Somebody was quicker.",
                "Nothing was ordered. What is left:",
                tuple(
                    f"{names.get(line.sku, line.sku)}: "
                    + (f"only {line.available} left" if line.available > 0 else "sold out")
                    for line in refused.lines
                ),
                reverse("shop:cart"),
                "Change the cart",
            )
        case PriceChanged():
            total = money.for_people(refused.quote.total_amount, refused.quote.currency)
            notice = Notice(
                f"The total is now {total}.",
                "Delivery, tax or a price has changed since you saw this page. If that is fine"
                " with you, place the order again.",
            )
        case NotQuotable():
            notice = Notice(
                "Something in the cart stands in the way.",
                "Nothing was ordered.",
                tuple(problem.message for problem in refused.problems),
                reverse("shop:cart"),
                "Look at the cart",
            )
        case PromoExhausted():
            notice = Notice(
                str(refused),
                "The last use went to somebody else. Nothing was ordered; take the code off to go"
                " on without it.",
                link=reverse("shop:cart"),
                link_text="Look at the cart",
            )
        case CartAlreadyOrdered():
            notice = _already(refused.order_id, f"This cart was ordered as {refused.number}.")
        case IdempotencyKeyReused():
            status, key = 422, str(uuid4())
            notice = Notice(
                "This form was sent before with other words in it.",
                "Please look it over and send it once more.",
            )
        case NotYourTurn():
            status, retry_after = 429, refused.place.look_again_in
            queue = waiting_room.address_of(
                refused.place.sale.slug, onward=reverse("shop:checkout")
            )
            notice = Notice(
                f"There is a queue for {refused.place.sale.name}.",
                f"You are number {refused.place.position}. Nothing was ordered; wait your turn,"
                " then place the order again.",
                link=queue,
                link_text="Wait in the queue",
            )
        case Overloaded():
            status, retry_after = 503, refused.retry_after
            notice = Notice(
                "The kitchen is full for a moment.",
                "Nothing was ordered and nothing was charged. Please place the order again.",
            )
        case _:
            status, retry_after = 503, 2
            notice = Notice(
                "We are not sure yet.",
                "Your order may already stand. Press the button again: it cannot be ordered twice.",
            )
    response = _page(request, cart, form, key=key, notice=notice, status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    if isinstance(refused, NotYourTurn):
        waiting_room.remember(response, refused.place)
    return response


# --- The page -------------------------------------------------------------------------------------


def _typed(request: HttpRequest) -> dict[str, str]:
    return {name: request.POST.get(name, "") for name in FIELDS}


def _page(
    request: HttpRequest,
    cart: CartView,
    form: CheckoutForm,
    *,
    key: str,
    notice: Notice | None = None,
    status: int = 200,
) -> HttpResponse:
    country = str(form["country"].value() or "")
    region = str(form["region"].value() or "")
    email = str(form["email"].value() or "")
    methods = _methods(request, cart, country, region)
    method = str(form["shipping_method"].value() or "")
    codes = [shown.code for shown in methods]
    if method not in codes:
        method = codes[0] if codes else ""
    book: list[Address] = []
    if request.user.is_authenticated:
        book = addresses.list_addresses(request.user)
    return render(
        request,
        "shop/checkout.html",
        {
            "form": form,
            "key": key,
            "notice": notice,
            "methods": methods,
            "chosen_method": method,
            "country_name": countries.names().get(country, ""),
            "quote": _quote(
                request, cart, country=country, region=region, method=method, email=email
            ),
            "cards": CARDS,
            "stripe_key": _stripe_key(),
            "book": book,
            "saved": form.initial.get("saved", request.POST.get("saved", "")),
            "placeholder": cards.placeholder(),
        },
        status=status,
    )


def _stripe_key() -> str:
    return "" if settings.USES_SANDBOX else settings.STRIPE_PUBLIC_KEY


def _quote(
    request: HttpRequest,
    cart: CartView,
    *,
    country: str = "",
    region: str = "",
    method: str = "",
    email: str = "",
) -> Quote:
    return quote_lines(
        [(line.sku, line.quantity) for line in cart.lines],
        promo_codes=cart.promo_codes,
        country=country[:2],
        region=region[:100],
        shipping_method=method,
        customer_key=email.strip().lower()[:254] or None,
    )


def _methods(request: HttpRequest, cart: CartView, country: str, region: str) -> list[MethodShown]:
    """The ways to `country`, each with what this cart would pay for it, promos counted."""
    plain = _quote(request, cart)
    found = rates.methods_for(
        country=country[:2],
        weight_grams=plain.weight_grams,
        subtotal_amount=plain.subtotal_amount - plain.discount_amount,
        currency=plain.currency,
    )
    return [
        MethodShown(
            code=method.code,
            name=method.name,
            days=f"{method.min_days} to {method.max_days}"
            if method.min_days != method.max_days
            else str(method.max_days),
            price_amount=_quote(
                request, cart, country=country, region=region, method=method.code
            ).shipping_amount,
        )
        for method in found
    ]
