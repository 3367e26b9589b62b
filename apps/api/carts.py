"""Carts: made, looked at, changed. For whoever holds the token or owns it."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import bodies, documents, parameters
from apps.api.endpoint import CART_TOKEN, Endpoint, sent, token_in
from apps.api.shapes import read_body
from apps.cart import carts
from apps.cart.carts import CartView
from apps.orders.quote import Quote, quote_lines
from apps.shipping import rates
from storefront import money, rate_limits
from storefront.problems import Problem


class CartEndpoint(Endpoint):
    """Finds the cart of the address for whoever may have it."""

    def cart(self, request: Request, cart_id: UUID) -> CartView:
        token = token_in(request.META, CART_TOKEN)
        self.guess(token)
        cart = carts.find(cart_id, token=token, user=request.user)
        if request.method != "GET":
            rate_limits.count(rate_limits.WRITES_OF_CART, str(cart.id))
        return cart


class NewCart(Endpoint):
    """Open a cart."""

    limits = (rate_limits.NEW_CARTS_OF_ADDRESS,)

    @extend_schema(**documents.NEW_CART)
    def post(self, request: Request) -> Response:
        if request.user.is_authenticated:
            cart = carts.of_user(request.user)
        else:
            cart = carts.create_guest()
        document = cart_document(cart, quoted(cart, request))
        return Response(document | {"token": cart.token}, status=201)


class Cart(CartEndpoint):
    """A cart with its price of this moment."""

    @extend_schema(**documents.CART)
    def get(self, request: Request, cart_id: UUID) -> Response:
        destination = parameters.destination(request.query_params)
        cart = self.cart(request, cart_id)
        return Response(cart_document(cart, quoted(cart, request, **destination)))


class CartLine(CartEndpoint):
    """One SKU of a cart."""

    @extend_schema(**documents.CART_LINE)
    def put(self, request: Request, cart_id: UUID, sku: str) -> Response:
        quantity = read_body(bodies.CART_LINE, sent(request))["quantity"]
        cart = carts.set_line(self.cart(request, cart_id), sku, quantity)
        return Response(cart_document(cart, quoted(cart, request)))


class CartPromo(CartEndpoint):
    """The promo code of a cart."""

    limits = (rate_limits.WRITES_OF_ADDRESS, rate_limits.PROMO_TRIES_OF_ADDRESS)

    @extend_schema(**documents.CART_PROMO)
    def put(self, request: Request, cart_id: UUID) -> Response:
        code = read_body(bodies.PROMO, sent(request))["code"]
        cart = self.cart(request, cart_id)
        cart, quote = with_promo(cart, code, request)
        return Response(cart_document(cart, quote))

    @extend_schema(**documents.CART_PROMO_REMOVED)
    def delete(self, request: Request, cart_id: UUID) -> Response:
        cart = carts.set_promos(self.cart(request, cart_id), ())
        return Response(cart_document(cart, quoted(cart, request)))


class ShippingMethods(CartEndpoint):
    """Ways to ship this cart to a country."""

    @extend_schema(**documents.SHIPPING_METHODS)
    def get(self, request: Request, cart_id: UUID) -> Response:
        country = parameters.country(request.query_params)
        cart = self.cart(request, cart_id)
        quote = quoted(cart, request)
        found = rates.methods_for(
            country=country,
            weight_grams=quote.weight_grams,
            subtotal_amount=quote.subtotal_amount - quote.discount_amount,
            currency=quote.currency,
        )
        return Response(
            [
                {
                    "code": method.code,
                    "name": method.name,
                    "price": money.payload(
                        # Asked of the quote, because a promo may have paid for it.
                        quoted(
                            cart, request, country=country, shipping_method=method.code
                        ).shipping_amount,
                        method.currency,
                    ),
                    "estimated_days": {"min": method.min_days, "max": method.max_days},
                }
                for method in found
            ]
        )


def quoted(
    cart: CartView,
    request: Request,
    *,
    promo_codes: tuple[str, ...] | None = None,
    country: str = "",
    region: str = "",
    shipping_method: str = "",
) -> Quote:
    """The cart's price for whoever asks."""
    return quote_lines(
        [(line.sku, line.quantity) for line in cart.lines],
        promo_codes=cart.promo_codes if promo_codes is None else promo_codes,
        country=country,
        region=region,
        shipping_method=shipping_method,
        customer_key=request.user.email.lower() if request.user.is_authenticated else None,
    )


def with_promo(cart: CartView, code: str, request: Request) -> tuple[CartView, Quote]:
    """The cart with `code` beside its other codes, or instead of them where they cannot combine.

    Raises Problem 400 with the code's own reason, and the cart is as it was.
    """
    for others in (cart.promo_codes, ()):
        quote = quoted(cart, request, promo_codes=(*others, code))
        if not (refused := [problem for problem in quote.problems if problem.promo_code]):
            kept = carts.set_promos(cart, tuple(promo.code for promo in quote.promos))
            return kept, quote
    reason = refused[-1]
    raise Problem(
        400,
        reason.code,
        reason.message,
        errors=[{"field": "code", "code": reason.code, "message": reason.message}],
    )


def cart_document(cart: CartView, quote: Quote) -> dict[str, Any]:
    """The contract's cart. Lines that are no longer sold stay listed, without a price."""
    priced = {line.sku: line for line in quote.lines}
    lines = []
    for kept in cart.lines:
        line = priced.get(kept.sku)
        lines.append(
            {
                "sku": kept.sku,
                "name": line.name if line else kept.sku,
                "quantity": kept.quantity,
                "unit_price": line and money.payload(line.unit_amount, quote.currency),
                "line_total": line and money.payload(line.line_amount, quote.currency),
                "available": max(0, line.available) if line else 0,
            }
        )
    return {
        "id": str(cart.id),
        "lines": lines,
        "totals": quote.totals(),
        "promo_codes": [promo.code for promo in quote.promos],
        "problems": [problem.payload() for problem in quote.problems],
    }
