"""A new password for someone who forgot theirs: asking for a link, and the page behind it."""

import logging

from django.contrib import messages
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlsafe_base64_decode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from kombu.exceptions import OperationalError as BrokerUnavailable

from apps.core import rate_limits
from apps.core.error_pages import error_page, too_many
from apps.core.rate_limits import by_address, limited
from apps.customers.models import User
from apps.web.forms import NewPasswordForm, ResetForm
from apps.web.tasks import send_password_reset
from apps.web.views.account.limit_keys import mailbox_named

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD", "POST"])
@limited(
    (rate_limits.RESETS_OF_ADDRESS, by_address),
    (rate_limits.RESETS_OF_ACCOUNT, mailbox_named),
    answer=too_many,
)
def password_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link by mail.

    The answer is the same whether or not the account exists, and whether or not its mailbox has
    reached the cap of such mails (apps/notifications/caps.py).
    """
    form = ResetForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            send_password_reset.apply_async((form.cleaned_data["email"].lower(),), retry=False)
        except BrokerUnavailable as error:
            logger.warning("no password reset was sent: %s", type(error).__name__)
            return error_page(request, 503, retry_after=5)
        return render(
            request,
            "web/account/single.html",
            {
                "title": "Look into your mail.",
                "lead": "If there is an account with this address, a link is on its way. It works"
                " once, for three days.",
                "links": [{"text": "", "url": reverse("web:home"), "label": "Back to the shop"}],
            },
        )
    return render(
        request,
        "web/account/single.html",
        {
            "title": "A new password",
            "lead": "Tell us your address and we send you a link.",
            "form": form,
            "button": "Send it",
        },
        status=400 if form.is_bound else 200,
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited((rate_limits.LOGINS_OF_ADDRESS, by_address), answer=too_many)
def password_new(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """The page that the link in the mail opens."""
    user = _user_of(uid)
    if user is None or not default_token_generator.check_token(user, token):
        return render(
            request,
            "web/account/single.html",
            {
                "title": "This link is cold.",
                "lead": "It was used already, or is older than three days.",
                "links": [
                    {"text": "", "url": reverse("web:password-reset"), "label": "Ask for another"}
                ],
            },
            status=400,
        )
    form = NewPasswordForm(user, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        user.set_password(form.cleaned_data["new_password1"])
        user.save(update_fields=["password"])
        messages.success(request, "Your new password works. Please sign in with it.")
        return redirect("web:login")
    return render(
        request,
        "web/account/single.html",
        {"title": "Choose a new password.", "form": form, "button": "Save it"},
        status=400 if form.is_bound else 200,
    )


def _user_of(uid: str) -> User | None:
    try:
        pk = int(urlsafe_base64_decode(uid).decode("ascii"))
    except ValueError:
        return None
    return User.objects.filter(pk=pk, is_active=True).first() if pk < 2**63 else None
