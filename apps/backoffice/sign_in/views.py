"""The sign-in page of the back office, and the page that asks for the password or code once more.

The sign-in page is Django's own, with the limits on guessing a password before it.
"""

import logging

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.backoffice.sign_in import staff_session
from apps.backoffice.sign_in.confirm_form import ConfirmForm, confirmed
from apps.backoffice.sign_in.reauthentication import next_page, page
from apps.core import rate_limits
from apps.core.error_pages import too_many
from apps.core.rate_limits import by_address, limited

logger = logging.getLogger(__name__)


def account_named(request: HttpRequest) -> str | None:
    """The digest of the account that the form names, as the limits count it."""
    login = request.POST.get("username", "").strip()
    return rate_limits.account_digest(login) if login else None


@sensitive_post_parameters()
@limited(
    (rate_limits.LOGINS_OF_ADDRESS, by_address),
    (rate_limits.LOGINS_OF_ACCOUNT, account_named),
    answer=too_many,
)
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for the password. Where a second factor is needed, the next page asks for it."""
    if request.method == "GET" and REDIRECT_FIELD_NAME not in request.GET:
        # Unfold's form takes the next page from the URL only; without it, the person would be
        # redirected to the shop.
        return redirect(f"{request.path}?{REDIRECT_FIELD_NAME}={reverse('admin:index')}")
    response = admin.site.login(request)
    if request.method == "POST":
        account = account_named(request)
        if response.status_code == 302:
            logger.info("staff %s signed in, from %s", request.user.pk, by_address(request))
            if account:
                rate_limits.forget(rate_limits.LOGINS_OF_ACCOUNT, account)
        else:
            # By digest: people sometimes type their password into the field of the name.
            logger.warning(
                "sign-in of staff refused, account %s, from %s",
                (account or "-")[:8],
                by_address(request),
            )
    return response


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited(answer=too_many)
def confirm(request: HttpRequest) -> HttpResponse:
    """The page “Confirm that it is you”, which leads on to `?next=`."""
    if not staff_session.is_staff(request):
        return redirect(f"{reverse('admin:login')}?{REDIRECT_FIELD_NAME}={reverse('admin:index')}")
    needed = staff_session.needed(request, fresh="fresh" in request.GET)
    if not needed.proof:
        return redirect(next_page(request))
    form = ConfirmForm(needed, request.POST if request.method == "POST" else None)
    if request.method == "POST" and confirmed(request, needed, form):
        return redirect(next_page(request))
    return page(request, form)
