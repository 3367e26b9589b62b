"""Customers' accounts, sessions, and staff's shorter sessions (docs/security.md)."""

from datetime import timedelta

from storefront.settings.base import DEVELOPMENT, SHOP_NAME
from storefront.settings.environment import positive_count, read, switch
from storefront.settings.orders import CART_TIME

AUTH_USER_MODEL = "customers.User"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "apps.customers.passwords.LengthValidator"},
    {"NAME": "apps.customers.passwords.VarietyValidator"},
    {"NAME": "apps.customers.passwords.CommonSpellingsValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "web:login"
LOGIN_REDIRECT_URL = "web:account"
LOGOUT_REDIRECT_URL = "web:home"
SESSION_ENGINE = "apps.core.sessions"
SESSION_COOKIE_AGE = int(CART_TIME.total_seconds())

STAFF_SECOND_FACTOR = read("STAFF_SECOND_FACTOR", switch, not DEVELOPMENT)
STAFF_IDLE_TIME = timedelta(minutes=read("STAFF_IDLE_MINUTES", positive_count, 30))
STAFF_SESSION_TIME = timedelta(hours=read("STAFF_SESSION_HOURS", positive_count, 8))
# How long a confirmed identity is valid for refunds, roles and exports.
STAFF_FRESH_TIME = timedelta(minutes=read("STAFF_FRESH_MINUTES", positive_count, 10))
OTP_TOTP_ISSUER = SHOP_NAME
