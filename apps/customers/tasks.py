"""Tasks of accounts: notices by mail, and deleting expired tokens."""

import logging
import smtplib
from datetime import datetime
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.core.management import call_command
from django.template.loader import render_to_string
from django.urls import reverse

from apps.core import rate_limits
from apps.customers.mailbox import mailbox_of

logger = logging.getLogger(__name__)

TRIES = 6
# Together about thirteen minutes. Each pause is shorter than the broker's visibility timeout, after
# which a waiting task would be delivered twice.
PAUSE, PAUSE_MOST = 15, 240  # seconds


@shared_task(
    bind=True,
    name="customers.send_notice",
    ignore_result=True,
    autoretry_for=(OSError, smtplib.SMTPException),
    max_retries=TRIES,
    retry_backoff=PAUSE,
    retry_backoff_max=PAUSE_MOST,
)
def send_notice(task: Any, kind: str, to: str, at: str) -> None:
    """Mail `templates/customers/<kind>.txt` (its first line is the subject) to `to`.

    `at` is the moment of the change, in ISO 8601. A mailbox gets at most five an hour; more are
    logged and not sent. A retry does not count as another mail.
    """
    if not task.request.retries:
        try:
            rate_limits.count(
                rate_limits.NOTICES_OF_MAILBOX, rate_limits.account_digest(mailbox_of(to))
            )
        except rate_limits.LimitReached:
            logger.warning("%s: not sent, the mailbox has had enough of them", kind)
            return
    text = render_to_string(
        f"customers/{kind}.txt",
        {
            "at": datetime.fromisoformat(at),
            "shop_name": settings.SHOP_NAME,
            "reset_url": settings.SHOP_URL + reverse("web:password-reset"),
        },
    )
    subject, _, body = text.partition("\n")
    send_mail(subject.strip(), body.strip() + "\n", None, [to])


@shared_task(name="customers.flush_expired_tokens", ignore_result=True)
def flush_expired_tokens() -> None:
    """Delete the rows of expired tokens, which are invalid anyway. Beat runs this every hour."""
    call_command("flushexpiredtokens")
