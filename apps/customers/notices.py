"""Mail to the owner of an account whose password or e-mail address has changed.

`User.save` calls these functions, so that no way to change them is forgotten: page, reset, back
office, command line. A worker sends the mail after the commit. A failure here does not fail the
change: when the broker is down the mail is lost, with an error in the log; when the mail server is
down the worker tries again (tasks.py).
"""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.customers.tasks import send_notice

logger = logging.getLogger(__name__)

PASSWORD_CHANGED = "password_changed"  # noqa: S105  (a kind of mail)
EMAIL_CHANGED = "email_changed"


def password_changed(email: str) -> None:
    """Mail the account's owner after the commit."""
    _send_on_commit(PASSWORD_CHANGED, email)


def email_changed(old_email: str) -> None:
    """Mail the address that the account had until now, after the commit."""
    _send_on_commit(EMAIL_CHANGED, old_email)


def _send_on_commit(kind: str, to: str) -> None:
    at = timezone.now()
    transaction.on_commit(lambda: _enqueue(kind, to, at), robust=True)


def _enqueue(kind: str, to: str, at: datetime) -> None:
    try:
        send_notice.apply_async((kind, to, at.isoformat()), retry=False)
    except Exception as error:  # any failure of the broker: the change is made all the same
        logger.error("notice not enqueued, %s: %s", kind, type(error).__name__)
