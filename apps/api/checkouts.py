"""POST /checkouts/: the call that takes an order, and the hot path of the shop.

Translate the body, ask the intake, translate its answer. What the intake raises becomes an answer
in refusals.py.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.contract.checkout_reading import read_checkout
from apps.api.endpoint import (
    CART_TOKEN,
    WAITING_TICKET,
    Endpoint,
    count_wrong_cart_token,
    sent,
    token_in,
)
from apps.api.idempotency import HEADER, key_in
from apps.api.openapi import checkout as calls
from apps.api.openapi.call import described
from apps.cart import carts
from apps.cart.errors import CartError, CartNotFound, CartsUnavailable
from apps.core import rate_limits
from apps.core.problems import Problem
from apps.orders import intake
from apps.orders.errors import CartAlreadyOrdered, OutcomeUnknown
from apps.orders.intake import Accepted, CheckoutRequest, ordered_carts
from apps.orders.intake.checkout_request import build, identify


class Checkouts(Endpoint):
    """Place an order."""

    limits = (rate_limits.CHECKOUTS_OF_ADDRESS,)
    user_limits = (rate_limits.CHECKOUTS_OF_USER,)
    counts_later = True  # with what the cart itself counts for

    @described(calls.PLACE_ORDER)
    def post(self, request: Request) -> Response:
        key = idempotency_key(request.META)
        body = read_checkout(sent(request))
        user = request.user
        user_id = user.pk if user is not None and user.is_authenticated else None
        try:
            cart = self._cart(request, body["cart"]) if body["cart"] else None
            self.count_now()
        except (CartNotFound, CartsUnavailable) as error:
            self.count_now()
            accepted = _ordered_before(request, user_id, key, body, error)
        else:
            order = checkout_request(
                request.META,
                key,
                body,
                base_url=f"{request.scheme}://{request.get_host()}",
                user_id=user_id,
                cart=cart,
            )
            try:
                accepted = intake.place_order(order)
            except CartAlreadyOrdered as refused:
                ordered_carts.leave_known(cart, refused.order_id)
                raise
            ordered_carts.leave(cart, accepted)
        return Response(accepted.answer, status=202, headers=headers_of(accepted))

    def _cart(self, request: Request, cart_id: UUID) -> carts.CartView:
        token = token_in(request.META, CART_TOKEN)
        cart = carts.find(cart_id, token=token, user=request.user)
        self.count_now((rate_limits.CHECKOUTS_OF_CART, str(cart.id)))
        return cart


def _ordered_before(
    request: Request, user_id: int | None, key: str, body: dict[str, Any], error: CartError
) -> Accepted:
    """The stored answer, where the cart is gone because this key ordered it; else raises `error`.

    Raises OutcomeUnknown where Redis may have lost the cart of this token: another process may
    still be ordering it, and the outcome is not known yet.
    """
    accepted = intake.recall(identify(key, body, user_id=user_id))
    if accepted is not None:
        return accepted
    if isinstance(error, CartNotFound):
        if carts.may_be_lost(error.cart_id, token_in(request.META, CART_TOKEN)):
            raise OutcomeUnknown from error
        count_wrong_cart_token(request, error.cart_id)
    raise error


def headers_of(accepted: Accepted) -> dict[str, str]:
    """The headers of a 202."""
    headers = {"Location": accepted.answer["links"]["self"]}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return headers


def idempotency_key(meta: Mapping[str, Any]) -> str:
    """The client's key; raises Problem 400 when it is missing or not valid."""
    if meta.get(HEADER, "").strip() and (key := key_in(meta)):
        return key
    raise Problem(
        400,
        "idempotency_key_missing",
        "Send an Idempotency-Key of your own, so that a retry cannot order twice.",
    )


def checkout_request(
    meta: Mapping[str, Any],
    key: str,
    body: dict[str, Any],
    *,
    base_url: str,
    user_id: int | None = None,
    password_digest: str | None = None,
    cart: carts.CartView | None = None,
) -> CheckoutRequest:
    """The intake's request, from a body of `read_checkout`; of `cart`, where the body names one."""
    promo_code = body["promo_code"]
    return build(
        identify(key, body, user_id=user_id),
        meta,
        email=body["email"],
        shipping_address=body["shipping_address"],
        billing_address=body["billing_address"],
        shipping_method=body["shipping_method"],
        payment_method=body["payment_method"],
        expected_total=body["expected_total"],
        user_id=user_id,
        password_digest=password_digest,
        base_url=base_url,
        tickets=tuple((token_in(meta, WAITING_TICKET) or "").replace(" ", "").split(",")),
        cart=cart,
        lines=body["lines"],
        promo_codes=(promo_code,) if promo_code else (),
    )
