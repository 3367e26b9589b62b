"""Whom a limit counts: the address, the account, the signed-in user."""

import hashlib

from django.http import HttpRequest

from apps.core import clean_text
from apps.core.client_addresses import client_address


def by_address(request: HttpRequest) -> str:
    return client_address(request.META)


def by_user(request: HttpRequest) -> int | None:
    """The signed-in user's id; None (not counted) for guests."""
    return request.user.pk if request.user.is_authenticated else None


def account_digest(login: str) -> str:
    """The subject for an account's limits, the same for pages, API and admin.

    A digest, because Redis need not know the names of our customers. Of the normalised name, as
    the most tolerant sign-in form reads it: the admin's takes a full-width "ａlice@…" for alice.
    """
    name = clean_text.email(login).lower()
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
