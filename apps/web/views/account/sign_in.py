"""Signing in, registering and signing out. A guest's cart is merged into the account's."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.core import rate_limits
from apps.core.error_pages import too_many
from apps.core.rate_limits import WRITES, by_address, limited
from apps.customers import accounts
from apps.customers.errors import EmailTaken
from apps.web import visitor_session
from apps.web.forms import LoginForm, RegisterForm
from apps.web.views.account.limit_keys import account_named


def next_url(request: HttpRequest, otherwise: str) -> str:
    """The address in `next` if it is a page of this shop, else that of the view `otherwise`.

    Some browser takes each of `//evil`, `https:evil` and `\\evil` for another host.
    """
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_local = wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_local else reverse(otherwise)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited(
    (rate_limits.LOGINS_OF_ADDRESS, by_address),
    (rate_limits.LOGINS_OF_ACCOUNT, account_named),
    answer=too_many,
)
def sign_in(request: HttpRequest) -> HttpResponse:
    next_page = next_url(request, otherwise="web:account")
    if request.user.is_authenticated:
        return redirect(next_page)
    form = LoginForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        user = authenticate(
            request,
            username=form.cleaned_data["email"].lower(),
            password=form.cleaned_data["password"],
        )
        if user is not None:
            account = rate_limits.account_digest(user.email)
            rate_limits.forget(rate_limits.LOGINS_OF_ACCOUNT, account)
            _start_session(request, user)
            return redirect(next_page)
        form.add_error("password", "The two do not belong together. Please try again.")
    return _sign_in_page(request, form, next_page)


def _sign_in_page(request: HttpRequest, form: LoginForm, next_page: str) -> HttpResponse:
    register_url = reverse("web:register")
    return render(
        request,
        "web/account/single.html",
        {
            "title": "Good to see you.",
            "lead": "What is in your cart comes along.",
            "form": form,
            "button": "Sign in",
            "next": next_page,
            "links": [
                {
                    "text": "New here?",
                    "url": f"{register_url}?{urlencode({'next': next_page})}",
                    "label": "Open an account",
                },
                {
                    "text": "Password gone?",
                    "url": reverse("web:password-reset"),
                    "label": "Choose a new one",
                },
            ],
        },
        status=400 if form.is_bound else 200,
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited((rate_limits.REGISTRATIONS_OF_ADDRESS, by_address), answer=too_many)
def register(request: HttpRequest) -> HttpResponse:
    next_page = next_url(request, otherwise="web:account")
    if request.user.is_authenticated:
        return redirect(next_page)
    form = RegisterForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        user = _registered(form)
        if user is not None:
            _start_session(request, user)
            messages.success(request, "Your account is open. Good morning.")
            return redirect(next_page)
    return _register_page(request, form, next_page)


def _registered(form: RegisterForm) -> Any:
    """The new user; None when the form was given errors."""
    try:
        return accounts.register(**form.cleaned_data)
    except EmailTaken as taken:
        form.add_error("email", str(taken))
    except ValidationError as refused:
        for field, errors in refused.error_dict.items():
            form.add_error(field, errors)
    return None


def _register_page(request: HttpRequest, form: RegisterForm, next_page: str) -> HttpResponse:
    sign_in_url = reverse("web:login")
    return render(
        request,
        "web/account/single.html",
        {
            "title": "An account",
            "lead": "For people who come back. Everyone else can check out without.",
            "form": form,
            "button": "Open it",
            "next": next_page,
            "links": [
                {
                    "text": "Have one already?",
                    "url": f"{sign_in_url}?{urlencode({'next': next_page})}",
                    "label": "Sign in",
                },
            ],
        },
        status=400 if form.is_bound else 200,
    )


def _start_session(request: HttpRequest, user: Any) -> None:
    # login() gives the session a new id: one that an attacker fixed before is useless.
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    visitor_session.merge_on_login(request)


@require_POST
@limited(*WRITES, answer=too_many)
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("web:home")


@login_required
@require_POST
@limited(*WRITES, answer=too_many)
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End all sessions, this one too: any of the devices may be in the wrong hands."""
    accounts.sign_out_everywhere(request.user)
    logout(request)
    messages.success(request, "You are signed out, here and on every other device.")
    return redirect("web:login")
