"""Accounts: registering, signing in (the guest's cart comes along), orders, addresses, password."""

import logging
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode, urlsafe_base64_decode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import OperationalError as BrokerTrouble

from apps.customers import accounts, addresses
from apps.customers.errors import AddressBookFull, AddressInvalid, AddressNotFound, EmailTaken
from apps.customers.models import User
from apps.orders.models import Order
from apps.shop import journey, visitors
from apps.shop.forms import (
    AddressForm,
    ChangePasswordForm,
    LoginForm,
    NameForm,
    NewPasswordForm,
    RegisterForm,
    ResetForm,
)
from apps.shop.tasks import send_password_reset
from apps.shop.views.errors import error_page, too_many
from storefront import rate_limits
from storefront.rate_limits import WRITES, by_address, limited

logger = logging.getLogger(__name__)

ORDERS_PER_PAGE = 20
LATEST = 3


def account_named(request: HttpRequest) -> str | None:
    """The account that a form names, as the limits count it."""
    email = request.POST.get("email", "").strip()
    return rate_limits.account_digest(email) if email else None


def account_guessed(request: HttpRequest) -> str | None:
    """The signed-in account whose present password a form claims to know."""
    if not request.user.is_authenticated or not request.POST.get("old_password"):
        return None
    return rate_limits.account_digest(request.user.email)


def local_address(request: HttpRequest, otherwise: str) -> str:
    """Where `next` leads, if it leads to a page of this shop; else `otherwise`.

    `//evil`, `https:evil` and `\\evil` all lead elsewhere in some browser.
    """
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_local = wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_local else reverse(otherwise)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited(
    (rate_limits.LOGINS_OF_ADDRESS, by_address),
    (rate_limits.LOGINS_OF_ACCOUNT, account_named),
    answer=too_many,
)
def sign_in(request: HttpRequest) -> HttpResponse:
    goal = local_address(request, "shop:account")
    if request.user.is_authenticated:
        return redirect(goal)
    form = LoginForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = 400
        if form.is_valid():
            user = authenticate(
                request,
                username=form.cleaned_data["email"].lower(),
                password=form.cleaned_data["password"],
            )
            if user is not None:
                rate_limits.forget(
                    rate_limits.LOGINS_OF_ACCOUNT, rate_limits.account_digest(user.email)
                )
                _enter(request, user)
                return redirect(goal)
            form.add_error("password", "The two do not belong together. Please try again.")
    register = reverse("shop:register")
    return render(
        request,
        "shop/account/single.html",
        {
            "title": "Good to see you.",
            "lead": "What is in your cart comes along.",
            "form": form,
            "button": "Sign in",
            "next": goal,
            "links": [
                {
                    "text": "New here?",
                    "url": f"{register}?{urlencode({'next': goal})}",
                    "label": "Open an account",
                },
                {
                    "text": "Password gone?",
                    "url": reverse("shop:password-reset"),
                    "label": "Choose a new one",
                },
            ],
        },
        status=status,
    )


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited((rate_limits.REGISTRATIONS_OF_ADDRESS, by_address), answer=too_many)
def register(request: HttpRequest) -> HttpResponse:
    goal = local_address(request, "shop:account")
    if request.user.is_authenticated:
        return redirect(goal)
    form = RegisterForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = 400
        if form.is_valid():
            try:
                user = accounts.register(**form.cleaned_data)
            except EmailTaken as taken:
                form.add_error("email", str(taken))
            except ValidationError as refused:
                for field, errors in refused.error_dict.items():
                    form.add_error(field, errors)
            else:
                _enter(request, user)
                messages.success(request, "Your account is open. Good morning.")
                return redirect(goal)
    sign_in_address = reverse("shop:login")
    return render(
        request,
        "shop/account/single.html",
        {
            "title": "An account",
            "lead": "For people who come back. Everyone else can check out without.",
            "form": form,
            "button": "Open it",
            "next": goal,
            "links": [
                {
                    "text": "Have one already?",
                    "url": f"{sign_in_address}?{urlencode({'next': goal})}",
                    "label": "Sign in",
                },
            ],
        },
        status=status,
    )


def _enter(request: HttpRequest, user: Any) -> None:
    # login() gives the session a new id: one that was fixed before is worth nothing.
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    visitors.merge_on_login(request)


@require_POST
@limited(*WRITES, answer=too_many)
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("shop:home")


# --- Orders ---------------------------------------------------------------------------------------


def _listed(orders: list[Order]) -> list[Order]:
    for order in orders:
        order.label = journey.SHORT[order.status]  # type: ignore[attr-defined]
        order.tone = journey.PLACES[order.status].tone  # type: ignore[attr-defined]
    return orders


@never_cache
@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    book = addresses.list_addresses(request.user)
    return render(
        request,
        "shop/account/overview.html",
        {
            "here": "account",
            "orders": _listed(list(Order.objects.filter(user=request.user)[:LATEST])),
            "address": book[0] if book else None,
        },
    )


@never_cache
@login_required
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    found = Order.objects.filter(user=request.user)
    if before := request.GET.get("before"):
        try:
            found = found.filter(pk__lt=UUID(before))  # ids are in the order of time
        except ValueError:
            raise Http404 from None
    page = list(found[: ORDERS_PER_PAGE + 1])
    return render(
        request,
        "shop/account/orders.html",
        {
            "here": "orders",
            "orders": _listed(page[:ORDERS_PER_PAGE]),
            "older": page[ORDERS_PER_PAGE - 1].pk if len(page) > ORDERS_PER_PAGE else None,
        },
    )


# --- Addresses ------------------------------------------------------------------------------------


@never_cache
@login_required
@require_safe
def address_book(request: HttpRequest) -> HttpResponse:
    book = addresses.list_addresses(request.user)
    return render(request, "shop/account/addresses.html", {"here": "addresses", "book": book})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@limited(*WRITES, answer=too_many)
def address(request: HttpRequest, address_id: int | None = None) -> HttpResponse:
    """One entry: a new one, or another look at an old one."""
    entry = None
    if address_id is not None:
        try:
            entry = addresses.find(request.user, address_id)
        except AddressNotFound:
            raise Http404 from None
    initial: dict[str, Any] = {"country": "US", "name": request.user.name}
    if entry is not None:
        initial = addresses.as_dict(entry) | {"make_default": entry.is_default}
    form = AddressForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid() and _saved(request, form, entry):
        return redirect("shop:account-addresses")
    return render(
        request,
        "shop/account/address.html",
        {
            "here": "addresses",
            "title": "Change an address" if entry else "A new address",
            "form": form,
        },
        status=400 if form.is_bound else 200,
    )


def _saved(request: HttpRequest, form: AddressForm, entry: Any) -> bool:
    make_default = form.cleaned_data["make_default"]
    try:
        if entry is None:
            addresses.create(request.user, form.address(), make_default=make_default)
        else:
            addresses.update(request.user, entry.pk, form.address(), make_default=make_default)
    except AddressInvalid as refused:
        for field, _code, message in refused.errors:
            form.add_error(field, message)
        return False
    except AddressBookFull as full:
        form.add_error(None, str(full))
        return False
    except AddressNotFound:
        raise Http404 from None
    messages.success(request, "Saved.")
    return True


@login_required
@require_POST
@limited(*WRITES, answer=too_many)
def address_delete(request: HttpRequest, address_id: int) -> HttpResponse:
    try:
        addresses.delete(request.user, address_id)
    except AddressNotFound:
        raise Http404 from None
    messages.success(request, "Gone from the book. Orders keep their own copy.")
    return redirect("shop:account-addresses")


@login_required
@require_POST
@limited(*WRITES, answer=too_many)
def address_default(request: HttpRequest, address_id: int) -> HttpResponse:
    try:
        addresses.set_default(request.user, address_id)
    except AddressNotFound:
        raise Http404 from None
    return redirect("shop:account-addresses")


# --- Name and password ----------------------------------------------------------------------------


@never_cache
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
        return redirect("shop:account-profile")
    if password_form.is_bound and password_form.is_valid():
        request.user.set_password(password_form.cleaned_data["new_password1"])
        request.user.save(update_fields=["password"])
        # Every other session of this account ends here; this one goes on.
        update_session_auth_hash(request, request.user)
        messages.success(request, "Your password is changed. Other devices are signed out.")
        return redirect("shop:account-profile")
    return render(
        request,
        "shop/account/profile.html",
        {"here": "profile", "form": form, "password_form": password_form},
        status=400 if which else 200,
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited(
    (rate_limits.LOGINS_OF_ADDRESS, by_address),
    (rate_limits.LOGINS_OF_ACCOUNT, account_named),
    answer=too_many,
)
def password_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link. The answer is the same whether there is such an account or not."""
    form = ResetForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            send_password_reset.apply_async((form.cleaned_data["email"].lower(),), retry=False)
        except BrokerTrouble as error:
            logger.warning("no password reset was sent: %s", type(error).__name__)
            return error_page(request, 503, retry_after=5)
        return render(
            request,
            "shop/account/single.html",
            {
                "title": "Look into your mail.",
                "lead": "If there is an account with this address, a link is on its way. It works"
                " once, for three days.",
                "links": [{"text": "", "url": reverse("shop:home"), "label": "Back to the shop"}],
            },
        )
    return render(
        request,
        "shop/account/single.html",
        {
            "title": "A new password",
            "lead": "Tell us your address and we send you a link.",
            "form": form,
            "button": "Send it",
        },
        status=400 if form.is_bound else 200,
    )


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited((rate_limits.LOGINS_OF_ADDRESS, by_address), answer=too_many)
def password_new(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Behind the link of the mail."""
    user = _user_of(uid)
    if user is None or not default_token_generator.check_token(user, token):
        return render(
            request,
            "shop/account/single.html",
            {
                "title": "This link is cold.",
                "lead": "It was used already, or is older than three days.",
                "links": [
                    {"text": "", "url": reverse("shop:password-reset"), "label": "Ask for another"}
                ],
            },
            status=400,
        )
    form = NewPasswordForm(user, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        user.set_password(form.cleaned_data["new_password1"])
        user.save(update_fields=["password"])
        messages.success(request, "Your new password works. Please sign in with it.")
        return redirect("shop:login")
    return render(
        request,
        "shop/account/single.html",
        {"title": "Choose a new password.", "form": form, "button": "Save it"},
        status=400 if form.is_bound else 200,
    )


def _user_of(uid: str) -> User | None:
    try:
        pk = int(urlsafe_base64_decode(uid).decode("ascii"))
    except ValueError:
        return None
    return User.objects.filter(pk=pk, is_active=True).first() if pk < 2**63 else None
