"""Registration, and signing out everywhere. Signing in and sessions are Django's."""

import unicodedata
from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F

from apps.core import clean_text, sql
from apps.customers import tokens
from apps.customers.errors import EmailTaken
from apps.customers.models import User, login_name

EMAIL_MAX = 254
NAME_MAX = 120

OPEN_ACCOUNTS = (
    "SELECT id, password, session_epoch FROM customers_user WHERE id = ANY(%s) AND is_active"
)


def register(email: str, password: str, name: str = "") -> User:
    """A new account; the e-mail address, in lower case, is the login name.

    Raises `EmailTaken`, or Django's `ValidationError` with `error_dict` by field (`email`,
    `password`, `name`).

    The password is hashed before the address is looked up, so a refusal takes as long as a success
    and its time does not reveal who has an account. Of two registrations at once the unique
    constraint refuses one.
    """
    email = login_name(email)
    name = clean_text.line(name)
    _check(email=email, password=password, name=name)
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name)
    except IntegrityError:
        # The address is the only unique column of a new user; other errors are raised.
        if User.objects.filter(email=email).exists():
            raise EmailTaken from None
        raise


def still_signed_in(claims: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of the tokens' claims (account id, digest of its credential) that are still valid.

    The same check as in `tokens.BearerAuthentication`, for many tokens in one query.
    """
    rows = sql.fetch(OPEN_ACCOUNTS, ([user_id for user_id, _ in claims],))
    good = {(user_id, tokens.digest(password, epoch)) for user_id, password, epoch in rows}
    return good.intersection(claims)


def sign_out_everywhere(user: User) -> None:
    """End all sessions of the account, the current one too, and all its tokens, at once.

    It does not close an open websocket.
    """
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)


def _check(*, email: str, password: str, name: str) -> None:
    errors: dict[str, list[ValidationError]] = {}
    try:
        if len(email) > EMAIL_MAX:
            raise ValidationError("Enter a shorter e-mail address.", code="max_length")
        validate_email(email)
    except ValidationError as error:
        errors["email"] = error.error_list
    if len(name) > NAME_MAX:
        shorter = f"Use at most {NAME_MAX} characters."
        errors["name"] = [ValidationError(shorter, code="max_length")]
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        errors["name"] = [ValidationError("Leave out control characters.", code="invalid")]
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        errors["password"] = error.error_list
    if errors:
        raise ValidationError(errors)
