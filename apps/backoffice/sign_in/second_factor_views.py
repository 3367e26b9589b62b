"""The page on which staff set up and replace their second factor and get backup codes."""

import base64
import logging
from typing import Any

import segno
from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.backoffice.sign_in import enrolment, reauthentication, staff_session
from apps.backoffice.sign_in import second_factor as factor
from apps.backoffice.sign_in.confirm_form import CODE_ATTRS
from apps.core.error_pages import too_many
from apps.core.rate_limits import limited

logger = logging.getLogger(__name__)

SETUP = "admin/backoffice/second_factor_setup.html"
STATE = "admin/backoffice/second_factor.html"
CODES = "admin/backoffice/backup_codes.html"


class SetupForm(forms.Form):
    """`code` shows that the phone has the secret; `setup` is the secret, signed."""

    setup = forms.CharField(max_length=500, widget=forms.HiddenInput)
    code = forms.CharField(
        max_length=64,
        label="Code that the app shows",
        widget=UnfoldAdminTextInputWidget(attrs=CODE_ATTRS | {"inputmode": "numeric"}),
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@limited(answer=too_many)
def second_factor(request: HttpRequest) -> HttpResponse:
    """Show or set up the factor, replace it (`?replace=1`), or make new codes (POST `do=codes`)."""
    if not staff_session.is_staff(request):
        return HttpResponseRedirect(f"{reverse('admin:login')}?next={request.path}")
    # A person who found this session open must not be able to enrol their own phone.
    if (answer := reauthentication.ask(request)) is not None:
        return answer
    user: Any = request.user
    state = factor.state(user)
    if request.method == "POST" and request.POST.get("do") == "codes" and state is not None:
        logger.info("staff %s: new backup codes", user.pk)
        return _codes_page(request, enrolment.new_backup_codes(user), first=False)
    if request.method == "POST" and request.POST.get("do") == "enrol":
        return _enrol(request)
    if state is not None and "replace" not in request.GET:
        return _page(request, STATE, "Your second factor", state=state)
    return _setup_page(request, SetupForm(initial={"setup": enrolment.new_setup(user)}))


def _enrol(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = SetupForm(request.POST)
    device = enrolment.device_of_setup(user, request.POST.get("setup", "")[:500])
    if device is None:
        form = SetupForm(initial={"setup": enrolment.new_setup(user)})
        return _setup_page(request, form, note="That took too long. Scan this new code, please.")
    if form.is_valid():
        codes = enrolment.enrol(user, device, form.cleaned_data["code"])
        if codes is not None:
            staff_session.code_shown(request.session, device.pk)
            request.session.cycle_key()
            logger.info("staff %s: second factor set up", user.pk)
            return _codes_page(request, codes, first=True)
        form.add_error("code", "That is not the code of this secret. Wait for the next one.")
    return _setup_page(request, form)


def _setup_page(request: HttpRequest, form: SetupForm, *, note: str = "") -> HttpResponse:
    user: Any = request.user
    device = enrolment.device_of_setup(user, str(form["setup"].value()))
    assert device is not None, "the callers checked it or made it"
    secret = _secret(device)
    return _page(
        request,
        SETUP,
        "Set up your second factor",
        form=form,
        note=note,
        # Drawn on the server: no script, and no other service learns the secret.
        picture=segno.make(device.config_url, error="m").svg_data_uri(scale=4, border=4),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        replacing=factor.device_id(user) is not None,
    )


def _secret(device: Any) -> str:
    """The secret in base32, to be typed into an app when there is no camera."""
    return base64.b32encode(device.bin_key).decode().rstrip("=")


def _codes_page(request: HttpRequest, codes: list[str], *, first: bool) -> HttpResponse:
    return _page(request, CODES, "Your backup codes", codes=codes, first=first)


def _page(request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": title,
        "next": reauthentication.next_page(request),
        "required": staff_session.needed(request).enrolment,
        **more,
    }
    return TemplateResponse(request, template, context)
