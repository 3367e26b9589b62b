"""POST /checkouts/: the one call that takes an order. The hot path of the shop.

Translate the body, ask the intake, translate its answer. Whatever the intake raises becomes the
contract's answer in refusals.py.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import bodies, documents
from apps.api.endpoint import CART_TOKEN, WAITING_TICKET, Endpoint, sent, token_in
from apps.api.shapes import Errors, refuse, refuse_if_any
from apps.cart import carts
from apps.cart.errors import CartError, CartNotFound, CartsUnavailable
from apps.orders import intake
from apps.orders.errors import OutcomeUnknown
from apps.orders.intake import CheckoutRequest
from storefront import rate_limits
from storefront.problems import Problem

KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Checkouts(Endpoint):
    """Place an order."""

    limits = (rate_limits.CHECKOUTS_OF_ADDRESS,)
    user_limits = (rate_limits.CHECKOUTS_OF_USER,)

    @extend_schema(**documents.PLACE_ORDER)
    def post(self, request: Request) -> Response:
        key = idempotency_key(request.META)
        body = read_checkout(sent(request))
        user = request.user
        user_id = user.pk if user is not None and user.is_authenticated else None
        try:
            cart = self._cart(request, body["cart"]) if body["cart"] else None
        except (CartNotFound, CartsUnavailable) as error:
            accepted = _ordered_before(user_id, key, body, error)
        else:
            accepted = intake.place_order(
                checkout_request(
                    request.META,
                    key,
                    body,
                    base_url=f"{request.scheme}://{request.get_host()}",
                    user_id=user_id,
                    cart=cart,
                )
            )
        return Response(accepted.answer, status=202, headers=headers_of(accepted))

    def _cart(self, request: Request, cart_id: UUID) -> carts.CartView:
        token = token_in(request.META, CART_TOKEN)
        self.guess(token)
        cart = carts.find(cart_id, token=token, user=request.user)
        rate_limits.count(rate_limits.CHECKOUTS_OF_CART, str(cart.id))
        return cart


def _ordered_before(
    user_id: int | None, key: str, body: dict[str, Any], error: CartError
) -> intake.Accepted:
    """The answer that stands, where the cart went after it was ordered; raises `error` otherwise.

    Another process may still be at it, with a cart that Redis has lost since: then nobody can say
    yet, and OutcomeUnknown is raised.
    """
    scope = scope_of(user_id)
    accepted = intake.recall(scope, key, fingerprint(scope, body))
    if accepted is not None:
        return accepted
    if isinstance(error, CartNotFound) and carts.may_be_lost(error.cart_id):
        raise OutcomeUnknown from error
    raise error


def headers_of(accepted: intake.Accepted) -> dict[str, str]:
    """What a 202 says beside its body."""
    headers = {"Location": accepted.answer["links"]["self"]}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return headers


def idempotency_key(meta: Mapping[str, Any]) -> str:
    """The client's key; raises Problem 400 when there is none to speak of."""
    key: str = meta.get("HTTP_IDEMPOTENCY_KEY", "")
    if not key.strip():
        raise Problem(
            400,
            "idempotency_key_missing",
            "Send an Idempotency-Key of your own, so that a retry cannot order twice.",
        )
    if not KEY.fullmatch(key):
        raise Problem(
            400, "idempotency_key_invalid", "An Idempotency-Key has 1 to 255 visible characters."
        )
    return key


def read_checkout(data: Any) -> dict[str, Any]:
    """The body as bodies.CHECKOUT has it, with `lines` merged by SKU; raises Problem 400."""
    errors: Errors = []
    body = bodies.CHECKOUT.read(data, "", errors)
    if isinstance(body, dict):
        if body["cart"] is None and body["lines"] is None:
            refuse(errors, "cart", "required", "Send a cart, or lines to buy now.")
        elif body["cart"] is not None and body["lines"] is not None:
            refuse(errors, "lines", "invalid", "Send a cart or lines, not both.")
        elif body["cart"] is not None and body["promo_code"]:
            refuse(errors, "promo_code", "invalid", "Put the code into the cart first.")
    refuse_if_any(errors)
    body["lines"] = _merged(body["lines"] or [], errors)
    refuse_if_any(errors)
    return body


def _merged(lines: list[dict[str, Any]], errors: Errors) -> tuple[tuple[str, int], ...]:
    # Two lines of one SKU checked separately would each fit a stock that both together do not.
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line["sku"]] = quantities.get(line["sku"], 0) + line["quantity"]
    for sku, quantity in quantities.items():
        if quantity > bodies.QUANTITY_MAX:
            refuse(errors, "lines", "max_value", f"At most {bodies.QUANTITY_MAX} of {sku}.")
    return tuple(quantities.items())


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
    """What the intake is asked, with whoever asks and the fingerprint of what was sent."""
    scope = scope_of(user_id)
    promo_code = body["promo_code"]
    if cart is not None:
        lines = tuple((line.sku, line.quantity) for line in cart.lines)
        promo_codes = tuple(cart.promo_codes)
    else:
        lines = body["lines"]
        promo_codes = (promo_code,) if promo_code else ()
    return CheckoutRequest(
        scope=scope,
        key=key,
        fingerprint=fingerprint(scope, body),
        lines=lines,
        email=body["email"],
        shipping_address=body["shipping_address"],
        shipping_method=body["shipping_method"],
        payment_method=body["payment_method"],
        user_id=user_id,
        password_digest=password_digest,
        cart_id=body["cart"],
        promo_codes=promo_codes,
        billing_address=body["billing_address"],
        expected_total=body["expected_total"],
        base_url=base_url,
        tickets=tuple((token_in(meta, WAITING_TICKET) or "").replace(" ", "").split(",")),
    )


def scope_of(user_id: int | None) -> str:
    """Whose keys these are."""
    return "guest" if user_id is None else f"user:{user_id}"


def fingerprint(scope: str, body: dict[str, Any]) -> bytes:
    """SHA-256 of what was asked and by whom; blanks and the order of fields do not count.

    Of the body as it was sent, not of the cart behind it, which another tab may have changed since.
    """
    return hashlib.sha256(
        scope.encode() + b"\n" + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    ).digest()
