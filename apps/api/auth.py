"""Accounts for apps: register, sign in, refresh, sign out (customers/tokens.py).

Signing in and refreshing take no Idempotency-Key. Signing in twice makes nothing that one of two
should not have, and a refresh token has its own rule for being sent twice. A kept answer of theirs
would be a way to tokens past the limit of wrong passwords, or with a token that is spent (ADR 46).
"""

from typing import Any

from django.contrib.auth import authenticate
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.contract.customer import (
    LoginBody,
    RefreshBody,
    RegisterBody,
    Registered,
    Tokens,
)
from apps.api.contract.reading import read_body
from apps.api.endpoint import Endpoint, sent
from apps.api.guests import brings_cart, merge_cart_of
from apps.api.idempotency import idempotent
from apps.api.openapi import accounts as calls
from apps.api.openapi.call import described
from apps.cart import carts
from apps.core import rate_limits
from apps.customers import accounts, tokens
from apps.customers.models import User, login_name
from apps.customers.tokens import issue as tokens_for


def _without_tokens(document: dict[str, Any]) -> dict[str, Any]:
    return document | {name: tokens.claims(document[name]) for name in ("access", "refresh")}


def _with_tokens(kept: dict[str, Any]) -> dict[str, Any]:
    return kept | {name: tokens.signed(kept[name]) for name in ("access", "refresh")}


@idempotent(secret_body=True, without_secrets=_without_tokens, with_secrets=_with_tokens)
class Register(Endpoint):
    """Open an account; the answer has tokens, so that an app asks for the password once."""

    authentication_classes = []
    limits = (rate_limits.REGISTRATIONS_OF_ADDRESS,)

    @described(calls.REGISTER)
    def post(self, request: Request) -> Response:
        body = read_body(RegisterBody, sent(request))
        user = accounts.register(body.email, body.password, body.name or "")
        issued = tokens_for(user)
        registered: Registered = {
            "id": user.pk,
            "email": user.email,
            "name": user.name,
            "access": issued["access"],
            "refresh": issued["refresh"],
        }
        if brings_cart(request):
            registered["cart"] = str(carts.of_user(user).id)
        return Response(registered, status=201)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.status_code == 201:
            # After the commit: merging deletes the guest's cart in Redis, which would not come back
            # with a rollback. A request that is sent again makes up for a crash in between.
            merge_cart_of(request, User(pk=response.data["id"]))
        return super().finalize_response(request, response, *args, **kwargs)


class Token(Endpoint):
    """Sign in."""

    authentication_classes = []
    limits = (rate_limits.LOGINS_OF_ADDRESS,)

    @described(calls.TOKEN)
    def post(self, request: Request) -> Response:
        body = read_body(LoginBody, sent(request))
        email = login_name(body.email)
        account = rate_limits.account_digest(email)
        rate_limits.count(rate_limits.LOGINS_OF_ACCOUNT, account)
        user = authenticate(request._request, username=email, password=body.password)
        if user is None:
            raise AuthenticationFailed("No account matches this e-mail address and password.")
        rate_limits.forget(rate_limits.LOGINS_OF_ACCOUNT, account)
        issued: Tokens = {**tokens_for(user)}  # type: ignore[typeddict-item]
        if brings_cart(request):
            merge_cart_of(request, user)
            issued["cart"] = str(carts.of_user(user).id)
        return Response(issued)


class TokenRefresh(Endpoint):
    """Exchange a refresh token for a new access token and the next refresh token."""

    authentication_classes = []

    @described(calls.TOKEN_REFRESH)
    def post(self, request: Request) -> Response:
        text = read_body(RefreshBody, sent(request)).refresh
        try:
            return Response(tokens.rotate(text))
        except tokens.RefreshRefused:
            raise AuthenticationFailed("This refresh token is not valid any more.") from None


@idempotent(secret_body=True)
class TokenRevoke(Endpoint):
    """Sign an app out; a token that is not valid any more is no error (RFC 7009, 2.2)."""

    authentication_classes = []

    @described(calls.TOKEN_REVOKE)
    def post(self, request: Request) -> Response:
        tokens.revoke(read_body(RefreshBody, sent(request)).refresh)
        return Response(status=204)
