"""The door of the back office: Django's own, with the shop's limits on guessing before it."""

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.shop.views.errors import too_many
from storefront import rate_limits
from storefront.rate_limits import by_address, limited


def account_named(request: HttpRequest) -> str | None:
    """The account that the form names, as the limits count it."""
    login = request.POST.get("username", "").strip()
    return rate_limits.account_digest(login) if login else None


@never_cache
@sensitive_post_parameters()
@limited(
    (rate_limits.LOGINS_OF_ADDRESS, by_address),
    (rate_limits.LOGINS_OF_ACCOUNT, account_named),
    answer=too_many,
)
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET" and REDIRECT_FIELD_NAME not in request.GET:
        # Unfold's form carries it in its own address only; without, one would end in the shop.
        return redirect(f"{request.path}?{REDIRECT_FIELD_NAME}={reverse('admin:index')}")
    response = admin.site.login(request)
    if request.method == "POST" and response.status_code == 302 and (who := account_named(request)):
        rate_limits.forget(rate_limits.LOGINS_OF_ACCOUNT, who)
    return response
