"""Which permissions can be given in the back office."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet

# Permissions on these apps' tables open no page: the tables hold secrets and are not registered.
HIDDEN_APPS = ("otp_totp", "otp_static", "token_blacklist")
# Of its permissions only those that open a page count, and all its pages are read-only.
READ_ONLY_APP = "djstripe"


def opening_a_page(permissions: QuerySet) -> QuerySet:
    """Those of `permissions` that open something in the back office."""
    pages = [
        f"view_{model._meta.model_name}"
        for model in admin.site._registry
        if model._meta.app_label == READ_ONLY_APP
    ]
    read_only = Q(content_type__app_label=READ_ONLY_APP)
    return permissions.exclude(content_type__app_label__in=HIDDEN_APPS).exclude(
        read_only & ~Q(codename__in=pages)
    )


def without_hidden(field: Any) -> None:
    """Remove the permissions that open nothing from a form field's choices."""
    field.queryset = opening_a_page(field.queryset.select_related("content_type"))
