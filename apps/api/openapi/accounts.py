"""The calls that open an account, sign in, stay signed in and sign out."""

from apps.api.contract.customer import (
    LoginBody,
    RefreshBody,
    RegisterBody,
    Registered,
    TokenPair,
    Tokens,
)
from apps.api.openapi.call import call
from apps.api.openapi.parameters import CART_TOKEN

_GUEST = " A guest's cart of `X-Cart-Token` moves into the account's: `cart` is its id."
_NO_KEY = " Takes no `Idempotency-Key`: where the answer got lost, sign in again."

REGISTER = call(
    "register",
    "Open an account",
    {201: Registered},
    tag="auth",
    authenticates=False,
    body=RegisterBody,
    idempotent=True,
    parameters=(CART_TOKEN,),
    description="Answers with tokens, so that the password is asked for once." + _GUEST,
)
TOKEN = call(
    "token",
    "Sign in",
    {200: Tokens},
    authenticates=False,
    tag="auth",
    body=LoginBody,
    problems={401: "`authentication_failed`"},
    parameters=(CART_TOKEN,),
    description="Answers with tokens for `Authorization: Bearer`." + _GUEST + _NO_KEY,
)
TOKEN_REFRESH = call(
    "token_refresh",
    "A new access token, and the next refresh token",
    {200: TokenPair},
    authenticates=False,
    tag="auth",
    body=RefreshBody,
    problems={
        401: "`authentication_failed`: expired, exchanged before, revoked, or of an account that"
        " has another password or signed out everywhere since"
    },
    description=(
        "A refresh token can be exchanged once: keep the one that the answer has, and let one"
        " request at a time exchange it. A token that is sent again later than half a minute after"
        " its exchange ends all tokens of that sign-in, since one of the two senders is not the"
        " owner. Takes no `Idempotency-Key`: where the answer got lost, sign in again."
    ),
)
TOKEN_REVOKE = call(
    "token_revoke",
    "Sign an app out",
    {204: None},
    authenticates=False,
    tag="auth",
    body=RefreshBody,
    idempotent=True,
    description=(
        "Ends this refresh token and all others of its sign-in. The last access token stays valid"
        " until it expires, 30 minutes at most: delete it. A token that is not valid any more gets"
        " the same answer."
    ),
)
