"""Mail that is sent because of a page, outside the request that asked for it."""

from celery import shared_task
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from apps.customers.models import User


@shared_task(name="shop.send_password_reset", ignore_result=True)
def send_password_reset(email: str) -> None:
    """Send the link to a new password, if `email` has an account to open with one.

    Here and not in the request: an answer that took longer for known addresses would tell them
    from unknown ones. The link is made here, too, so that none waits in the broker.
    """
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None or not user.has_usable_password():
        return
    path = reverse(
        "shop:password-new",
        args=[
            urlsafe_base64_encode(force_bytes(user.pk)),
            default_token_generator.make_token(user),
        ],
    )
    # SHOP_URL, not the Host header, which whoever asked for the mail has chosen.
    context = {"email": email, "link": settings.SHOP_URL + path, "shop_name": settings.SHOP_NAME}
    send_mail(
        render_to_string("shop/account/reset_mail_subject.txt", context).strip(),
        render_to_string("shop/account/reset_mail.txt", context),
        None,
        [email],
    )
