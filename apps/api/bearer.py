"""What a bearer token says, read without DRF: for what is answered in front of Django.

The token is checked by simplejwt. Whether its account is open and still has the password that the
token was given for is asked when the order is written, for all who order together
(`accounts.still_signed_in`): a question for each costs half of what a checkout does. Whoever has no
good token goes on to Django, which says why.
"""

from collections import deque
from typing import NamedTuple

from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings


class Claim(NamedTuple):
    """Who she says she is, signed by us; `password_digest` is of the password she had then."""

    user_id: int
    password_digest: str


_authentication = JWTAuthentication()
# A thief's token, or the shopper's own on another device. Django turns it away before it counts for
# the account's limits; here the first one has counted when it is found out, and the rest must not.
_ended: deque[Claim] = deque(maxlen=1000)


def read(authorization: str) -> Claim:
    """What "Bearer …" claims; raises AuthenticationFailed when there is no good token in it."""
    raw = _authentication.get_raw_token(authorization.encode("latin-1"))
    if raw is None:
        raise AuthenticationFailed
    token = _authentication.get_validated_token(raw)
    try:
        claim = Claim(
            int(token[api_settings.USER_ID_CLAIM]), str(token[api_settings.REVOKE_TOKEN_CLAIM])
        )
    except (KeyError, TypeError, ValueError):
        raise AuthenticationFailed from None
    if claim in _ended:
        raise AuthenticationFailed
    return claim


def has_ended(claim: Claim) -> None:
    """Remember that this token is good for nothing any more."""
    _ended.append(claim)
