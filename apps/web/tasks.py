"""Mail about a password reset, sent outside the request."""

from celery import shared_task
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from apps.customers.models import User
from apps.notifications import late, outbox

PASSWORD_RESET = "password_reset"  # noqa: S105  a kind of mail


@shared_task(name="web.send_password_reset", ignore_result=True)
def send_password_reset(email: str) -> None:
    """Queue the mail with the link to a new password if `email` has an account with a password.

    Not in the request: an answer that takes longer for known addresses would distinguish them from
    unknown ones. However often it is requested, the mailbox gets only what its cap allows
    (apps/notifications/caps.py).
    """
    user = _account_of(email)
    if user is not None:
        context = {"shop_name": settings.SHOP_NAME}
        subject = render_to_string("web/account/reset_mail_subject.txt", context).strip()
        outbox.put_account(PASSWORD_RESET, to=user.email, subject=subject)


def write_password_reset(email: str) -> tuple[str, str] | None:
    """Subject and body, made when the mail is sent: the link is stored nowhere."""
    user = _account_of(email)
    if user is None:
        return None
    path = reverse(
        "web:password-new",
        args=[
            urlsafe_base64_encode(force_bytes(user.pk)),
            default_token_generator.make_token(user),
        ],
    )
    # SHOP_URL, not the Host header: that is chosen by the client that requests the mail.
    context = {
        "email": user.email,
        "link": settings.SHOP_URL + path,
        "shop_name": settings.SHOP_NAME,
    }
    return (
        render_to_string("web/account/reset_mail_subject.txt", context).strip(),
        render_to_string("web/account/reset_mail.txt", context),
    )


def _account_of(email: str) -> User | None:
    user = User.objects.filter(email=email, is_active=True).first()
    return user if user is not None and user.has_usable_password() else None


late.register(PASSWORD_RESET, write_password_reset)
