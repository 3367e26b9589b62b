"""Whether Redis has lost guests' carts a moment ago: it was emptied, or it was restarted.

carts:since      when this Redis was first seen empty, in seconds since 1970
"""

import time
from datetime import timedelta
from uuid import UUID

from apps.cart.guests import connection, tokens
from apps.cart.guests.connection import unavailable_as_error
from apps.cart.guests.fields import created_at

# Longer than a checkout that has begun with a cart: its wait for the intake, and the commit.
LOSS_MATTERS_FOR = timedelta(seconds=60)
SINCE = "carts:since"


def may_be_lost(cart_id: UUID, token: str | None) -> bool:
    """Whether a cart that is not there may have existed until Redis lost it a moment ago.

    True when `token` was made for this cart, Redis was emptied or started within LOSS_MATTERS_FOR,
    and the id is older than that. A client whose checkout with this cart has just been accepted,
    and who asks again, must not get "no such cart". For all others a cart that is not there
    never was. Raises `CartsUnavailable`.
    """
    if not tokens.is_of(token, cart_id):
        return False
    now = time.time()
    with unavailable_as_error():
        pipeline = connection.client().pipeline(transaction=True)
        pipeline.set(SINCE, int(now * 1000) / 1000, nx=True)  # milliseconds, as in the ids
        pipeline.get(SINCE)
        pipeline.info("server")
        _, emptied_at, server = pipeline.execute()
    since = max(float(emptied_at), now - server["uptime_in_seconds"])
    return created_at(cart_id) < since and now - since < LOSS_MATTERS_FOR.total_seconds()
