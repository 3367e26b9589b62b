"""Which account or mailbox a form names, as the rate limits count it."""

from django.http import HttpRequest

from apps.core import rate_limits
from apps.customers.mailbox import mailbox_of


def account_named(request: HttpRequest) -> str | None:
    """The account that a form names; None when it names none."""
    email = request.POST.get("email", "").strip()
    return rate_limits.account_digest(email) if email else None


def mailbox_named(request: HttpRequest) -> str | None:
    """The mailbox that a form names, whichever way its address is spelled."""
    email = request.POST.get("email", "").strip()
    return rate_limits.account_digest(mailbox_of(email)) if email else None


def account_guessed(request: HttpRequest) -> str | None:
    """The signed-in account whose current password a form contains; None when it has none."""
    if not request.user.is_authenticated or not request.POST.get("old_password"):
        return None
    return rate_limits.account_digest(request.user.email)
