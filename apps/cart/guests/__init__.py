"""Guests' carts, in Redis: one hash per cart.

A cart is deleted when it was not changed for CART_TIME, and when it is CART_AGE_MAX old. Every
function raises `CartsUnavailable` when Redis is down or full.

    store.py         create, find, change, close, follow, reopen
    scripts.py       the changes, as Lua scripts
    fields.py        the layout of the hash
    connection.py    the client and its timeouts
    loss.py          whether Redis has just lost carts
    tokens.py        the token of a cart, by which its guest is known
"""

from apps.cart.guests.loss import may_be_lost
from apps.cart.guests.store import (
    Versioned,
    add,
    close,
    create,
    delete_unchanged,
    find,
    follow,
    reopen,
    set_line,
    set_promos,
    token_again,
)
from apps.cart.guests.tokens import named_by

__all__ = [
    "Versioned",
    "add",
    "close",
    "create",
    "delete_unchanged",
    "find",
    "follow",
    "may_be_lost",
    "named_by",
    "reopen",
    "set_line",
    "set_promos",
    "token_again",
]
