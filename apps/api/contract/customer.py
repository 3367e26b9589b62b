"""Accounts: register, sign in, the profile."""

import re
from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from apps.api.contract.fields import EMAIL_MAX, EXAMPLE_EMAIL, Body, Text, secret
from apps.api.contract.formats import EmailAddress, Moment, Uuid, said
from apps.customers.passwords import LENGTH_MAX, LENGTH_MIN

# Only its length is checked here: the account's own rules say what an address may be.
LoginName = Annotated[str, Text(most=EMAIL_MAX, example=EXAMPLE_EMAIL)]
Password = Annotated[str, *secret(LENGTH_MAX)]
PersonName = Annotated[str, Text(most=120, blank=True)]


class RegisterBody(Body):
    email: Annotated[str, Text(most=EMAIL_MAX, example=EXAMPLE_EMAIL, format="email")]
    password: Annotated[str, *secret(LENGTH_MAX, least=LENGTH_MIN)]
    name: PersonName | None = None


class LoginBody(Body):
    email: LoginName
    password: Password


class RefreshBody(Body):
    refresh: Annotated[
        str,
        Text(most=2000, pattern=re.compile(r"[A-Za-z0-9_.-]+"), hint="Expected a refresh token."),
    ]


class ProfileBody(Body):
    name: PersonName


class DefaultMark(Body):
    """Of the body of an address book's entry: whether it becomes the default."""

    is_default: bool | None = None


class Profile(TypedDict):
    id: int
    email: EmailAddress
    name: str
    joined_at: Moment


class TokenPair(TypedDict):
    access: str
    refresh: str


class Tokens(TokenPair):
    cart: NotRequired[
        Annotated[
            Uuid,
            said("of a guest with X-Cart-Token: the account's cart, which has what theirs had"),
        ]
    ]


class Registered(Tokens):
    id: int
    email: EmailAddress
    name: str
