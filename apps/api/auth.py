"""Accounts for apps: register, sign in, stay signed in. Tokens are simplejwt's."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from apps.api import bodies, documents
from apps.api.endpoint import Endpoint, sent
from apps.api.shapes import read_body
from apps.customers import accounts
from storefront import rate_limits


class Register(Endpoint):
    """Open an account; answers with tokens, so that an app need not ask for the password twice."""

    authentication_classes = []
    limits = (rate_limits.REGISTRATIONS_OF_ADDRESS,)

    @extend_schema(**documents.REGISTER)
    def post(self, request: Request) -> Response:
        body = read_body(bodies.REGISTER, sent(request))
        user = accounts.register(body["email"], body["password"], body["name"])
        document = {"id": user.pk, "email": user.email, "name": user.name}
        return Response(document | tokens_for(user), status=201)


class Token(Endpoint):
    """Sign in."""

    authentication_classes = []
    limits = (rate_limits.LOGINS_OF_ADDRESS,)

    @extend_schema(**documents.TOKEN)
    def post(self, request: Request) -> Response:
        body = read_body(bodies.LOGIN, sent(request))
        email = body["email"].lower()
        account = rate_limits.account_digest(email)
        rate_limits.count(rate_limits.LOGINS_OF_ACCOUNT, account)
        user = authenticate(request._request, username=email, password=body["password"])
        if user is None:
            raise AuthenticationFailed("No account matches this e-mail address and password.")
        rate_limits.forget(rate_limits.LOGINS_OF_ACCOUNT, account)
        return Response(tokens_for(user))


class TokenRefresh(Endpoint):
    """Exchange a refresh token for a new access token."""

    authentication_classes = []

    @extend_schema(**documents.TOKEN_REFRESH)
    def post(self, request: Request) -> Response:
        text = read_body(bodies.REFRESH, sent(request))["refresh"]
        try:
            refresh = RefreshToken(text)  # type: ignore[arg-type]
        except TokenError:
            raise AuthenticationFailed("This refresh token is not valid any more.") from None
        # Neither a closed account nor an old password may live on in its tokens.
        try:
            JWTAuthentication().get_user(refresh)
        except AuthenticationFailed:
            raise AuthenticationFailed("This refresh token is not valid any more.") from None
        return Response({"access": str(refresh.access_token), "refresh": text})


def tokens_for(user: AbstractBaseUser) -> dict[str, Any]:
    """`{access, refresh}`."""
    refresh = RefreshToken.for_user(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}
