"""Opening an account. Signing in, sessions and their rotation are Django's."""

import unicodedata
from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from rest_framework_simplejwt.utils import get_md5_hash_password

from apps.customers.errors import EmailTaken
from apps.customers.models import User
from storefront import prepared

EMAIL_MAX = 254
NAME_MAX = 120
# Far beyond any passphrase; a megabyte of password is somebody's attempt to keep us busy.
PASSWORD_MAX = 1000

OPEN_ACCOUNTS = "SELECT id, password FROM customers_user WHERE id = ANY(%s) AND is_active"


def register(email: str, password: str, name: str = "") -> User:
    """A new account; the e-mail address is the login, whatever its capitals.

    Raises `EmailTaken`, or Django's `ValidationError` with `error_dict` by field (`email`,
    `password`, `name`).

    The password is hashed before anyone looks whether the address is known, so a refusal takes
    as long as a success; two registrations at once are told apart by the unique constraint.
    """
    email = unicodedata.normalize("NFKC", email).strip().lower()
    name = " ".join(unicodedata.normalize("NFC", name).split())
    _check(email=email, password=password, name=name)
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name)
    except IntegrityError:
        # The only unique thing about a new user is the address; anything else goes on up.
        if User.objects.filter(email=email).exists():
            raise EmailTaken from None
        raise


def still_signed_in(claims: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Of tokens' claims (account, digest of its password then): those that are still good.

    What simplejwt asks for each token by itself (CHECK_USER_IS_ACTIVE, CHECK_REVOKE_TOKEN), for
    many at once.
    """
    rows = prepared.fetch(OPEN_ACCOUNTS, ([user_id for user_id, _ in claims],))
    good = {(user_id, get_md5_hash_password(password)) for user_id, password in rows}
    return good.intersection(claims)


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
        _check_password(email=email, password=password, name=name)
    except ValidationError as error:
        errors["password"] = error.error_list
    if errors:
        raise ValidationError(errors)


def _check_password(*, email: str, password: str, name: str) -> None:
    if len(password) > PASSWORD_MAX:
        raise ValidationError(f"Use at most {PASSWORD_MAX} characters.", code="password_too_long")
    if any(unicodedata.category(character) == "Cs" for character in password):
        raise ValidationError("This password is not valid text.", code="invalid")
    validate_password(password, User(email=email, name=name))
