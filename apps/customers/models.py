"""Accounts, which sign in with an e-mail address, and their address books."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.crypto import salted_hmac

from apps.core import clean_text
from apps.customers import notices


def credential(password: str, session_epoch: int) -> str:
    """What sessions and tokens are bound to: they end when it changes.

    The password's hash and the epoch; the hash alone while the account has never signed out
    everywhere.
    """
    return f"{password}:{session_epoch}" if session_epoch else password


def login_name(email: str) -> str:
    """An e-mail address as an account has it: clean, in lower case."""
    return clean_text.email(email).lower()


class UserManager(BaseUserManager["User"]):
    """Creates accounts; e-mail addresses are compared in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=login_name(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Called by `createsuperuser`. Raises ValidationError for a weak password.

        The rules are checked here too, because that command skips them with --noinput, and
        otherwise lets its user bypass them.
        """
        if password is not None:
            validate_password(password, self.model(email=login_name(email), **fields))
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=login_name(email or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """One account. `email` is stored in lower case and is the login name."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(db_default=Now(), editable=False)
    session_epoch = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="how often this account has signed out everywhere",
    )

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="one_account_per_email"),
        ]
        permissions = [("erase_user", "Can erase buyers")]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As Django's; also mails the owner about a new password or a new e-mail address.

        It is done here so that every way to change them does it. A stronger hash of the same
        password is not a new password.
        """
        named: Iterable[str] | None = kwargs.get("update_fields")
        watched = {"email", "password"} if named is None else {"email", "password"} & set(named)
        before = (
            User.objects.filter(pk=self.pk).first() if watched and not self._state.adding else None
        )
        is_new_password = self._password is not None  # type: ignore[attr-defined]
        super().save(*args, **kwargs)
        if before is None:
            return
        was_disabled = is_password_usable(before.password) and not self.has_usable_password()
        if "password" in watched and (is_new_password or was_disabled):
            notices.password_changed(self.email)
        if "email" in watched and before.email != self.email:
            notices.email_changed(before.email)

    @property
    def credential(self) -> str:
        """What this account's sessions and tokens are bound to: see `credential`."""
        return credential(self.password, self.session_epoch)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's, with the credential in place of the password.
        salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        return salted_hmac(salt, self.credential, secret=secret, algorithm="sha256").hexdigest()

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.split("@")[0]


class Address(models.Model):
    """An entry of a customer's address book; orders keep their own copy."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="addresses")
    name = models.CharField(max_length=120)
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100)
    region = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    phone = models.CharField(max_length=40, blank=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering = ["-is_default", "id"]
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(
                "user", condition=models.Q(is_default=True), name="one_default_address_per_user"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.line1}, {self.city}"
