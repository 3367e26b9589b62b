"""Tokens of apps: issued at sign-in, exchanged, revoked. Built on simplejwt.

    issue     an access token (30 minutes) and a refresh token (14 days)
    rotate    exchange a refresh token, once, for the next pair
    revoke    an app signs out: end this refresh token and all that came from the same sign-in

What is checked:

    access token   signature and expiry; then its account: active, and with the credential for which
                   the token was issued (BearerAuthentication; accounts.py for many at once). Not
                   whether it is revoked: that would be a query for every call of every app. After
                   `revoke` it is valid until it expires; a new password and "sign out everywhere"
                   end it at once.
    refresh token  the same, and whether it was exchanged or revoked.

All tokens from one sign-in are a family: they share the first part of their ids. A token that was
exchanged before is shown by a thief, or by the owner after a thief has exchanged it. The server
cannot tell which, so the family ends, and the owner signs in again with the password (RFC 9700,
4.14.2). Within SAME_MOMENT it is an app that asked twice at once; this is only refused, because
ending the family would end what the other request was just given.

The database keeps the id of a token, never the token: whoever reads it cannot sign in.
What a token claims may be kept as well (`claims`); `signed` makes the token of it again.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.state import token_backend
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken, Token, UntypedToken
from rest_framework_simplejwt.utils import datetime_from_epoch, get_md5_hash_password

from apps.customers.models import User, credential

SAME_MOMENT = timedelta(seconds=30)


class RefreshRefused(Exception):
    """This refresh token is not valid, or not any more."""


class BearerAuthentication(JWTAuthentication):
    """simplejwt's, which also refuses tokens from before a "sign out everywhere"."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        claim = claim_of(validated_token)
        user = User.objects.filter(pk=claim[0], is_active=True).first() if claim else None
        if user is None or digest_of(user) != claim[1]:  # type: ignore[index]
            raise AuthenticationFailed("This token is not valid any more.", code="token_ended")
        return user


def claim_of(token: Token) -> tuple[int, str] | None:
    """(account id, digest of its credential) from the token; None if a claim is missing or bad."""
    try:
        claim = int(token[api_settings.USER_ID_CLAIM]), str(token[api_settings.REVOKE_TOKEN_CLAIM])
    except (KeyError, TypeError, ValueError):
        return None
    return claim if 0 < claim[0] < 2**63 else None


def digest_of(user: User) -> str:
    """The digest of the account's credential, as its tokens contain it."""
    return get_md5_hash_password(user.credential)


def digest(password: str, session_epoch: int) -> str:
    """As `digest_of`, from the two columns."""
    return get_md5_hash_password(credential(password, session_epoch))


def issue(user: User) -> dict[str, str]:
    """`{access, refresh}`, the first pair of a new family."""
    return _pair(_next(user, family=uuid4().hex))


def rotate(text: str) -> dict[str, str]:
    """`{access, refresh}` in exchange for this refresh token. Raises RefreshRefused.

    1. Read the token: signature, expiry, kind.
    2. Lock its account: of two concurrent exchanges the second sees the first, and none happens
       while the account signs out everywhere.
    3. Refuse an inactive account, and a credential other than the token's.
    4. Refuse an exchanged or revoked token; after SAME_MOMENT also end its family.
    5. Write that it is exchanged, and the id of the next one.
    """
    token = _read(text)
    claim = claim_of(token) if token is not None else None
    if token is None or claim is None:
        raise RefreshRefused
    with transaction.atomic():
        user = _locked(claim[0])
        if user is None or not user.is_active or digest_of(user) != claim[1]:
            raise RefreshRefused
        jti = token[api_settings.JTI_CLAIM]
        spent = BlacklistedToken.objects.filter(token__jti=jti).first()
        if spent is None:
            BlacklistedToken.objects.create(token=_row_of(token, user))
            return _pair(_next(user, family=_family(token)))
        if timezone.now() - spent.blacklisted_at > SAME_MOMENT:
            _end_family(user, token)
    raise RefreshRefused


def revoke(text: str) -> None:
    """End this refresh token and its whole family.

    Text that is no valid token is ignored: there is nothing to revoke, and no error.
    """
    token = _read(text)
    claim = claim_of(token) if token is not None else None
    if token is None or claim is None:
        return
    with transaction.atomic():
        user = _locked(claim[0])
        if user is not None:
            _row_of(token, user)
            _end_family(user, token)


def claims(text: str) -> dict[str, Any]:
    """What a token of ours says, without its signature: it may be kept, and opens nothing."""
    return UntypedToken(text).payload  # type: ignore[arg-type]


def signed(said: dict[str, Any]) -> str:
    """The token that says this: the same text as before, as long as SECRET_KEY is the same.

    Only of `claims`, which were signed before.
    """
    return str(token_backend.encode(said))


class _RefreshToken(RefreshToken):
    """simplejwt's, without its check of the blacklist: ours runs under the account's lock."""

    def check_blacklist(self) -> None:
        return None


def _read(text: str) -> Token | None:
    try:
        return _RefreshToken(text)  # type: ignore[arg-type]
    except TokenError:
        return None


def _locked(user_id: int) -> User | None:
    # NO KEY: writing an order or an address of this account meanwhile does not wait.
    return User.objects.select_for_update(no_key=True).filter(pk=user_id).first()


def _next(user: User, *, family: str) -> _RefreshToken:
    token = _RefreshToken()
    token[api_settings.USER_ID_CLAIM] = str(user.pk)
    token[api_settings.REVOKE_TOKEN_CLAIM] = digest_of(user)
    token[api_settings.JTI_CLAIM] = f"{family}.{uuid4().hex}"
    _row_of(token, user)
    return token


def _row_of(token: Token, user: User) -> OutstandingToken:
    """The token's row. A token from before rows were kept gets one at its first use."""
    row, _ = OutstandingToken.objects.get_or_create(
        jti=token[api_settings.JTI_CLAIM],
        defaults={
            "user": user,
            "token": "",
            "created_at": token.current_time,
            "expires_at": datetime_from_epoch(token["exp"]),
        },
    )
    return row


def _family(token: Token) -> str:
    jti: str = token[api_settings.JTI_CLAIM]
    return jti.partition(".")[0]


def _end_family(user: User, token: Token) -> None:
    family = _family(token)
    live = OutstandingToken.objects.filter(
        Q(jti=family) | Q(jti__startswith=f"{family}."), user=user, blacklistedtoken__isnull=True
    )
    BlacklistedToken.objects.bulk_create([BlacklistedToken(token=row) for row in live])


def _pair(token: Any) -> dict[str, str]:
    return {"access": str(token.access_token), "refresh": str(token)}
