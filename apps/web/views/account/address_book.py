"""The address book of an account."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.error_pages import too_many
from apps.core.rate_limits import WRITES, limited
from apps.customers import addresses
from apps.customers.errors import AddressBookFull, AddressInvalid, AddressNotFound
from apps.web.forms import AddressForm


@login_required
@require_safe
def address_book(request: HttpRequest) -> HttpResponse:
    book = addresses.list_addresses(request.user)
    return render(request, "web/account/addresses.html", {"here": "addresses", "book": book})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@limited(*WRITES, answer=too_many)
def address(request: HttpRequest, address_id: int | None = None) -> HttpResponse:
    """The form of one entry; without `address_id`, of a new one."""
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
        return redirect("web:account-addresses")
    return render(
        request,
        "web/account/address.html",
        {
            "here": "addresses",
            "title": "Change an address" if entry else "A new address",
            "form": form,
        },
        status=400 if form.is_bound else 200,
    )


def _saved(request: HttpRequest, form: AddressForm, entry: Any) -> bool:
    """Create or update the entry; False when the form was given errors."""
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
    return redirect("web:account-addresses")


@login_required
@require_POST
@limited(*WRITES, answer=too_many)
def address_default(request: HttpRequest, address_id: int) -> HttpResponse:
    try:
        addresses.set_default(request.user, address_id)
    except AddressNotFound:
        raise Http404 from None
    return redirect("web:account-addresses")
