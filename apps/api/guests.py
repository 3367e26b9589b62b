"""The cart of a guest who signs in: what is in it moves to the account's cart.

The app sends `X-Cart-Token`, as with any other call; the token names the cart. The page does the
same with the cart of the session (web/visitor_session.py).
"""

from contextlib import suppress

from rest_framework.request import Request

from apps.api.endpoint import CART_TOKEN, token_in
from apps.cart import carts
from apps.cart.carts import CartNotFound, CartsUnavailable
from apps.cart.carts import Shopper as Account


def brings_cart(request: Request) -> bool:
    """Whether the request has the token of a guest's cart, which may be gone by now."""
    return carts.named_by(token_in(request.META, CART_TOKEN)) is not None


def merge_cart_of(request: Request, account: Account) -> None:
    """Merge the cart of this request's token into the account's open cart.

    Repeating it changes nothing: the guest's cart is gone then. Without Redis it is left as it is,
    for the next sign-in or `POST /carts/`.
    """
    token = token_in(request.META, CART_TOKEN)
    cart_id = carts.named_by(token)
    if cart_id is None:
        return
    with suppress(CartNotFound, CartsUnavailable):
        carts.merge(carts.find(cart_id, token=token), account)
