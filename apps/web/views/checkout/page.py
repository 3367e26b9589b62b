"""The checkout's page: the form, the ways to ship, and the quote of the visitor's cart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.cart import goods as cart_goods
from apps.cart.carts import CartView
from apps.cart.goods import Goods
from apps.customers import addresses, countries
from apps.customers.models import Address
from apps.orders.intake.customer_quote import quote_for
from apps.orders.intake.quote import Quote
from apps.payments.gateway_amounts import to_gateway
from apps.promos import pricing
from apps.promos.models import Promo
from apps.shipping import rates
from apps.web import product_cards
from apps.web.forms import CheckoutForm
from apps.web.sandbox_cards import CARDS, stripe_key
from apps.web.views.checkout import form_cart
from apps.web.views.checkout.repairs import repairs_of

KEY = re.compile(r"[0-9a-f-]{32,36}", re.ASCII)
NO_PAYMENT = "pm_none"  # in place of the gateway's token, where there is nothing to pay
FIELDS = ("email", *addresses.FIELDS, "shipping_method", "payment_method")


@dataclass(frozen=True, slots=True)
class Notice:
    """What is shown above the form when no order was made."""

    title: str
    text: str = ""
    lines: tuple[str, ...] = ()
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class MethodShown:
    """A way to ship, with the price that this cart pays for it (minor units)."""

    code: str
    name: str
    days: str
    price_amount: int


@dataclass(frozen=True, slots=True)
class CartNow:
    """What all quotes of one cart are made of: its goods, and its promos by code."""

    goods: Goods
    promos: Mapping[str, Promo]


def key_of(request: HttpRequest) -> str:
    """The form's idempotency key, or a new one where it came without."""
    key = request.POST.get("key", "")
    return key if KEY.fullmatch(key) else str(uuid4())


def show_page(
    request: HttpRequest,
    cart: CartView,
    form: CheckoutForm,
    *,
    key: str,
    notice: Notice | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page with `form` and the price of `cart` for what is filled in."""
    country = str(form["country"].value() or "")
    region = str(form["region"].value() or "")
    email = str(form["email"].value() or "")
    now = cart_now(cart)
    methods = methods_shown(quote_of(request, cart, now, email=email), country)
    method = str(form["shipping_method"].value() or "")
    codes = [shown.code for shown in methods]
    if method not in codes:
        method = codes[0] if codes else ""
    book: list[Address] = []
    if request.user.is_authenticated:
        book = addresses.list_addresses(request.user)
    quote = quote_of(request, cart, now, country=country, region=region, method=method, email=email)
    return render(
        request,
        "web/checkout.html",
        {
            "form": form,
            "key": key,
            "notice": notice,
            "methods": tuple(methods),
            "chosen_method": method,
            "country_name": countries.names().get(country, ""),
            "quote": quote,
            "problems": _problems(quote, notice),
            "repairs": repairs_of(cart, quote),
            "form_cart": form_cart.sealed(cart),
            "nothing_to_pay": costs_nothing(quote, method),
            "no_payment": NO_PAYMENT,
            "stripe_amount": to_gateway(quote.total_amount, quote.currency),
            "cards": CARDS,
            "chosen_card": str(form["payment_method"].value() or ""),
            "stripe_key": stripe_key(),
            "book": book,
            "saved": form.initial.get("saved", request.POST.get("saved", "")),
            "save_address": bool(request.POST.get("save_address")),
            "placeholder": product_cards.placeholder(),
        },
        status=status,
    )


def costs_nothing(quote: Quote, method: str) -> bool:
    """Whether no card is asked for; not before it is known what shipping costs."""
    return bool(quote.lines and (method or not quote.ships)) and quote.total_amount == 0


def cart_now(cart: CartView) -> CartNow:
    """Read once for all quotes of one page; what is shown after a refusal is read again."""
    goods = cart_goods.of(line.sku for line in cart.lines)
    return CartNow(goods, pricing.load(cart.promo_codes))


def quote_of(
    request: HttpRequest,
    cart: CartView,
    now: CartNow,
    *,
    country: str = "",
    region: str = "",
    method: str = "",
    email: str = "",
) -> Quote:
    """What `cart`, as it is `now`, costs this visitor."""
    return quote_for(
        [(line.sku, line.quantity) for line in cart.lines],
        email=email,
        user_id=request.user.pk,
        promo_codes=cart.promo_codes,
        country=country[:2],
        region=region[:100],
        shipping_method=method,
        goods=now.goods,
        promos=now.promos,
    )


def methods_shown(plain: Quote, country: str) -> list[MethodShown]:
    """The ways to ship to `country`, each with what this cart pays for it, promos included.

    `plain` is the cart's quote without a destination, for the e-mail typed so far: a code that it
    has used pays for no shipping either.
    """
    if not plain.ships:
        return []
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
            price_amount=0 if plain.free_shipping else method.price_amount,
        )
        for method in found
    ]


def _problems(quote: Quote, notice: Notice | None) -> list[str]:
    """What stands in the way, each thing once; not what the notice above the form says already."""
    said = notice.title if notice else ""
    messages = dict.fromkeys(problem.message for problem in quote.problems)
    return [message for message in messages if message != said]
