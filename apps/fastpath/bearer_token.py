"""Bearer tokens of apps, read without Django REST framework.

simplejwt checks signature and expiry here. Whether the account is still open, and still has the
password for which the token was issued, is asked later: when the order is written, in one query for
all customers whose orders are written together (`accounts.still_signed_in`). A query for each token
costs half of what a whole checkout does. A request with a bad token goes on to Django, which says
what is wrong with it.
"""

from collections import deque
from typing import NamedTuple

from rest_framework.exceptions import AuthenticationFailed

from apps.core.connections import drop_dead_connections
from apps.customers import accounts
from apps.customers.tokens import BearerAuthentication, claim_of


class Claim(NamedTuple):
    """What a token with a good signature says: the account, and a digest of its credential."""

    user_id: int
    password_digest: str


_authentication = BearerAuthentication()
# A stolen token, or the customer's own token on another device, after the password was changed.
# Django refuses it before it counts against the account's rate limits. Here the first request with
# it has been counted when the query finds out; the following ones must not be counted.
_ended: deque[Claim] = deque(maxlen=1000)


def read(authorization: str) -> Claim:
    """What the header "Bearer …" claims. Raises AuthenticationFailed without a good token."""
    raw = _authentication.get_raw_token(authorization.encode("latin-1"))
    if raw is None:
        raise AuthenticationFailed
    said = claim_of(_authentication.get_validated_token(raw))
    if said is None:
        raise AuthenticationFailed
    claim = Claim(*said)
    if claim in _ended:
        raise AuthenticationFailed
    return claim


def is_still_good(claim: Claim) -> bool:
    """Whether the account is open and has the credential of the token. One query."""
    drop_dead_connections()
    return bool(accounts.still_signed_in([claim]))


def has_ended(claim: Claim) -> None:
    """Remember that this token is not good any more; `read` refuses it from now on."""
    _ended.append(claim)
