"""The form that asks for the password and the code once more, and the check of what was typed."""

import logging
from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from apps.backoffice.sign_in import second_factor, staff_session
from apps.backoffice.sign_in.staff_session import Needed
from apps.core import rate_limits

logger = logging.getLogger(__name__)

PREFIX = "confirm"
CODE_ATTRS = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


class ConfirmForm(forms.Form):
    """Has the fields that `needed` names."""

    password = forms.CharField(
        max_length=1000,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        max_length=64,
        label="Code from your app",
        help_text="Six digits, or one of your backup codes.",
        widget=UnfoldAdminTextInputWidget(attrs=CODE_ATTRS),
    )

    def __init__(self, needed: Needed, data: Any = None) -> None:
        super().__init__(data, prefix=PREFIX)
        if not needed.password:
            del self.fields["password"]
        if not needed.code:
            del self.fields["code"]
        first: Any = next(iter(self.fields.values()))
        first.widget.attrs["autofocus"] = True
        for name in self.errors if data is not None else ():
            self.fields[name].widget.attrs["aria-invalid"] = "true"

    def refuse(self, name: str, message: str) -> None:
        """Show that the entry in this field was wrong."""
        self.add_error(name, message)
        self.fields[name].widget.attrs["aria-invalid"] = "true"


def confirmed(request: HttpRequest, needed: Needed, form: ConfirmForm) -> bool:
    """Whether what was typed is right. If so, the back office is open, under a new session id.

    Otherwise the form says what is wrong. Raises LimitReached.
    """
    if not form.is_valid():
        return False
    user: Any = request.user
    address = rate_limits.by_address(request)
    rate_limits.count(rate_limits.LOGINS_OF_ADDRESS, address)
    # The code is not looked at when the password is wrong: the answer would tell a stranger which
    # of the two was wrong.
    for name, is_asked, error in (
        ("password", needed.password, _password_error),
        ("code", needed.code, _code_error),
    ):
        if is_asked and (message := error(user, form.cleaned_data[name])):
            form.refuse(name, message)
            logger.warning("staff %s: wrong %s, from %s", user.pk, name, address)
            return False
    device = second_factor.device_id(user)
    if needed.password:
        staff_session.begin(request.session, user, device=device if needed.code else None)
    elif device is not None:
        staff_session.code_shown(request.session, device)
    # Somebody may know the session id from before: it must not be confirmed with it.
    request.session.cycle_key()
    shown = [name for name in ("password", "code") if getattr(needed, name)]
    logger.info("staff %s confirmed by %s, from %s", user.pk, " and ".join(shown), address)
    return True


def _password_error(user: Any, typed: str) -> str:
    """Count the attempt and check the password; "" when it is right. Raises LimitReached."""
    account = rate_limits.account_digest(user.email)
    rate_limits.count(rate_limits.LOGINS_OF_ACCOUNT, account)
    if not user.check_password(typed):
        return "That is not your password."
    rate_limits.forget(rate_limits.LOGINS_OF_ACCOUNT, account)
    return ""


def _code_error(user: Any, typed: str) -> str:
    """Count the attempt and check the code; "" when it is right. Raises LimitReached."""
    rate_limits.count(rate_limits.CODES_OF_ACCOUNT, user.pk)
    answer = second_factor.verify(user, typed)
    if answer.wait:
        return f"Too many wrong codes. The next one counts in {_duration(answer.wait)}."
    if not answer.right:
        return "That code is not right, or was used before. Wait for the next one."
    rate_limits.forget(rate_limits.CODES_OF_ACCOUNT, user.pk)
    return ""


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} minutes"
