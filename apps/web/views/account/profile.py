"""Changing the name and the password of a signed-in account."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.core import rate_limits
from apps.core.error_pages import too_many
from apps.core.rate_limits import WRITES, limited
from apps.web.forms import ChangePasswordForm, NameForm
from apps.web.views.account.limit_keys import account_guessed


@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@limited(
    *WRITES,
    (rate_limits.LOGINS_OF_ACCOUNT, account_guessed),
    answer=too_many,
)
def profile(request: HttpRequest) -> HttpResponse:
    which = request.POST.get("which") if request.method == "POST" else None
    form = NameForm(request.POST if which == "name" else None, initial={"name": request.user.name})
    password_form = ChangePasswordForm(request.user, request.POST if which == "password" else None)
    if form.is_bound and form.is_valid():
        request.user.name = " ".join(form.cleaned_data["name"].split())
        request.user.save(update_fields=["name"])
        messages.success(request, "Saved.")
        return redirect("web:account-profile")
    if password_form.is_bound and password_form.is_valid():
        request.user.set_password(password_form.cleaned_data["new_password1"])
        request.user.save(update_fields=["password"])
        # A new password ends every other session of this account; this line keeps this one.
        update_session_auth_hash(request, request.user)
        messages.success(request, "Your password is changed. Other devices are signed out.")
        return redirect("web:account-profile")
    return render(
        request,
        "web/account/profile.html",
        {"here": "profile", "form": form, "password_form": password_form},
        status=400 if which else 200,
    )
