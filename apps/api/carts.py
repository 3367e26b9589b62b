"""Carts: opened, read, changed, by the holder of the token or by the owner."""

from typing import Any, cast
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import parameters
from apps.api.contract import cart as contract
from apps.api.contract.money import price
from apps.api.contract.reading import read_body
from apps.api.endpoint import CART_TOKEN, Endpoint, count_wrong_cart_token, sent, token_in
from apps.api.guests import merge_cart_of
from apps.api.idempotency import idempotent
from apps.api.openapi import carts as calls
from apps.api.openapi.call import described
from apps.cart import carts, goods
from apps.cart.carts import CartNotFound, CartView
from apps.cart.goods import Goods
from apps.core import rate_limits
from apps.core.problems import Problem
from apps.orders.intake import promo_choice, statements
from apps.orders.intake.customer_quote import account_email, quote_for
from apps.orders.intake.promo_choice import Choice
from apps.orders.intake.quote import Quote
from apps.promos.errors import PromoUsed
from apps.shipping import rates


class CartEndpoint(Endpoint):
    """Finds the cart of the URL for a caller who may see it."""

    counts_later = True  # with what the cart itself counts for

    def cart(self, request: Request, cart_id: UUID) -> CartView:
        token = token_in(request.META, CART_TOKEN)
        try:
            cart = carts.find(cart_id, token=token, user=request.user)
        except CartNotFound:
            count_wrong_cart_token(request, cart_id)
            raise
        if request.method != "GET":
            counts: list[rate_limits.Count] = [(rate_limits.WRITES_OF_CART, str(cart.id))]
            if cart.owner_id is None:
                counts.append((rate_limits.CART_WRITES_OF_ADDRESS_A_DAY, self.client_address))
            self.count_now(*counts)
        return cart

    def cart_to_change(self, request: Request, cart_id: UUID) -> CartView:
        """As `cart`; of a cart that was ordered the next one, so that no change is lost.

        A client may not know yet that its cart was ordered. A customer has one open cart; a guest's
        next cart has the same token. Once the order is cancelled, a guest's cart is opened again.
        """
        cart = self.cart(request, cart_id)
        if cart.open:
            return cart
        if cart.owner_id is None and not statements.live_orders_of_carts([cart.id]):
            return carts.reopen(cart.id, token=cart.token)
        return carts.follow(cart)


def _without_token(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"token": None, "of_guest": document["token"] is not None}


def _with_token(kept: dict[str, Any]) -> dict[str, Any]:
    if kept.pop("of_guest"):
        kept["token"] = carts.token_again(UUID(kept["id"]))
    return kept


@idempotent(without_secrets=_without_token, with_secrets=_with_token)
class NewCart(Endpoint):
    """Open a cart."""

    limits = (rate_limits.NEW_CARTS_OF_ADDRESS,)
    counts_later = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and request.user.is_authenticated:
            self.count_now()
            # Before the transaction of `idempotent`: it writes to Redis, and may be repeated.
            merge_cart_of(request, request.user)

    @described(calls.NEW_CART)
    def post(self, request: Request) -> Response:
        if request.user.is_authenticated:
            cart = carts.of_user(request.user)
        else:
            self.count_now((rate_limits.NEW_CARTS_OF_ADDRESS_A_DAY, self.client_address))
            cart = carts.create_guest()
        document: contract.NewCart = {
            **cart_document(cart, quoted(cart, request)),
            "token": cart.token,
        }
        return Response(document, status=201)


class Cart(CartEndpoint):
    """A cart with its current price."""

    @described(calls.CART)
    def get(self, request: Request, cart_id: UUID) -> Response:
        destination = parameters.destination(request.query_params)
        cart = self.cart(request, cart_id)
        document = cart_document(cart, quoted(cart, request, **destination))
        if not cart.open:
            following = carts.next_of(cart)
            document["next_cart"] = str(following.id) if following is not None else None
        return Response(document)


class CartLine(CartEndpoint):
    """One SKU of a cart."""

    @described(calls.CART_LINE)
    def put(self, request: Request, cart_id: UUID, sku: str) -> Response:
        quantity = read_body(contract.CartLineBody, sent(request)).quantity
        cart = self.cart_to_change(request, cart_id)
        known = goods.of({sku, *cart.quantities})  # for the check and for the price
        cart = carts.set_line(cart, sku, quantity, known)
        return Response(cart_document(cart, quoted(cart, request, known=known)))


class CartPromo(CartEndpoint):
    """The promo code of a cart."""

    limits = (rate_limits.WRITES_OF_ADDRESS, rate_limits.PROMO_TRIES_OF_ADDRESS)

    @described(calls.CART_PROMO)
    def put(self, request: Request, cart_id: UUID) -> Response:
        code = read_body(contract.PromoBody, sent(request)).code
        cart = self.cart_to_change(request, cart_id)
        cart, choice = with_promo(cart, code, request)
        document = cart_document(cart, choice.quote)
        if choice.note is not None:
            document["notes"] = [{"code": choice.note.code, "message": choice.note.message}]
        return Response(document)

    @described(calls.CART_PROMO_REMOVED)
    def delete(self, request: Request, cart_id: UUID) -> Response:
        cart = carts.set_promos(self.cart_to_change(request, cart_id), ())
        return Response(cart_document(cart, quoted(cart, request)))


class ShippingMethods(CartEndpoint):
    """Ways to ship this cart to a country."""

    @described(calls.SHIPPING_METHODS)
    def get(self, request: Request, cart_id: UUID) -> Response:
        country = parameters.country(request.query_params)
        cart = self.cart(request, cart_id)
        known = goods.of(cart.quantities)
        quote = quoted(cart, request, known=known)
        if not quote.ships:
            return Response([])
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
                    # By the quote, because a promo may pay for the shipping.
                    "price": price(
                        quoted(
                            cart,
                            request,
                            country=country,
                            shipping_method=method.code,
                            known=known,
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
    known: Goods | None = None,
) -> Quote:
    """The cart's current price for the caller; `known` are its goods, where they were just read."""
    return quote_for(
        [(line.sku, line.quantity) for line in cart.lines],
        email=account_email(request.user),
        user_id=request.user.pk,
        promo_codes=cart.promo_codes if promo_codes is None else promo_codes,
        country=country,
        region=region,
        shipping_method=shipping_method,
        goods=known,
    )


def with_promo(cart: CartView, code: str, request: Request) -> tuple[CartView, Choice]:
    """The cart with `code`, as far as it goes with its other codes (promo_choice.py).

    Raises Problem 400 (409 `promo_used`) with the code's own reason; the cart stays unchanged then.
    """
    choice = promo_choice.choose(
        cart.promo_codes, code, lambda codes: quoted(cart, request, promo_codes=codes)
    )
    reason = choice.refused
    if reason is None:
        return carts.set_promos(cart, choice.codes), choice
    raise Problem(
        409 if reason.code == PromoUsed.code else 400,
        reason.code,
        reason.message,
        errors=[{"field": "code", "code": reason.code, "message": reason.message}],
    )


def cart_document(cart: CartView, quote: Quote) -> contract.Cart:
    """The contract's cart. Lines that are no longer sold stay listed, without a price."""
    priced = {line.sku: line for line in quote.lines}
    lines: list[contract.CartLine] = []
    for kept in cart.lines:
        line = priced.get(kept.sku)
        lines.append(
            {
                "sku": kept.sku,
                "name": line.name if line else kept.sku,
                "quantity": kept.quantity,
                "unit_price": price(line.unit_amount, quote.currency) if line else None,
                "line_total": price(line.line_amount, quote.currency) if line else None,
                "available": line.available if line else 0,
                "back_ordered": line.back_ordered if line else 0,
            }
        )
    return {
        "id": str(cart.id),
        "lines": lines,
        "totals": cast(contract.CartTotals, quote.totals()),
        "promo_codes": [promo.code for promo in quote.promos],
        "problems": [cast(contract.CartProblem, problem.payload()) for problem in quote.problems],
    }
