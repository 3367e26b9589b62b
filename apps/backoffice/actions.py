"""Staff actions: what staff do to a record beyond editing it, such as cancel, refund, receive.

A staff action is confirmed on a page of its own (GET) and done by a POST from that page:

    1. check the permissions (403 without it), and for a recent sign-in where money moves
       (sign_in/reauthentication.py)
    2. check the form; errors are shown beside the fields, and what was typed is kept
    3. in one transaction: lock the form's id, do the action, write the audit entries
    4. show a message, on the page that the person came from

Each rendered form has an id of its own, and each form is carried out once. Without that, a double
click on "Receive 10 units" receives twenty. Django's log entry about the action names the form's
id: the second request waits for the commit of the first (an advisory lock on the id), finds the
entry, and does nothing.

A Refusal rolls everything back, the audit entries too.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.backoffice.sign_in import reauthentication

TEMPLATE = "admin/backoffice/action.html"
MAX_MESSAGES = 5  # one message for each record, up to this many


class Refusal(Exception):
    """The domain refused the action. `field`: the form field that is wrong, if it is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class StaffActionForm(forms.Form):
    """A confirmation. `form_id` is new for each rendering and kept when the form comes back."""

    form_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"form_id": uuid.uuid4()} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)


class ReasonForm(StaffActionForm):
    """A confirmation that asks for a reason, which is recorded with the action."""

    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with your name.",
    )


Done = Sequence[tuple[models.Model, str]]


@dataclass(frozen=True, kw_only=True)
class StaffAction:
    """One action. `do(form)` carries it out and returns each record with a text about it."""

    title: str
    button: str
    permission: str
    do: Callable[[Any], Done]
    form: Callable[..., StaffActionForm] = ReasonForm
    explanation: str = ""
    facts: Sequence[tuple[str, Any]] = ()
    danger: bool = False
    # Money is sent back, or rights change: the password is asked for again if it is not recent.
    fresh_sign_in: bool = False
    # All of these are needed beside `permission`.
    further_permissions: Sequence[str] = ()
    initial: Mapping[str, Any] = field(default_factory=dict)


def perform(
    admin: ModelAdmin, request: HttpRequest, action: StaffAction, *, back: str, target: Any = None
) -> HttpResponse:
    """Show the action's page, or carry it out. `back` is the URL to go to afterwards.

    `target` is the record that it is about, for the breadcrumbs. Raises PermissionDenied.
    """
    if not request.user.has_perms((action.permission, *action.further_permissions)):  # type: ignore[union-attr]
        raise PermissionDenied
    if action.fresh_sign_in and (answer := reauthentication.ask(request)) is not None:
        return answer
    form = action.form(request.POST if request.method == "POST" else None, initial=action.initial)
    if request.method == "POST" and form.is_valid():
        try:
            done = _carry_out(admin, request, action, form)
        except Refusal as refusal:
            if refusal.field is None:
                messages.error(request, str(refusal))
                return HttpResponseRedirect(back)
            form.add_error(refusal.field, str(refusal))
        else:
            _show_messages(request, done)
            return HttpResponseRedirect(back)
    context = {
        **admin.admin_site.each_context(request),
        "title": action.title,
        "staff_action": action,
        "form": form,
        "back": back,
        "opts": admin.opts,
        "original": target,
    }
    return TemplateResponse(request, TEMPLATE, context)


def _carry_out(
    admin: ModelAdmin, request: HttpRequest, action: StaffAction, form: StaffActionForm
) -> Done | None:
    form_id = form.cleaned_data["form_id"]
    with transaction.atomic():
        if _is_done(request, form_id):
            return None
        done = action.do(form)
        for record, text in done:
            admin.log_change(request, record, f"{text} {_mark(form_id)}")
    return done


def _is_done(request: HttpRequest, form_id: uuid.UUID) -> bool:
    with connection.cursor() as cursor:
        # Held until the commit: a second request with the same form waits here for the first.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(form_id)])
    return LogEntry.objects.filter(
        user_id=request.user.pk or 0, change_message__endswith=_mark(form_id)
    ).exists()


def _mark(form_id: uuid.UUID) -> str:
    return f"[form {form_id}]"


def words_of(entry: LogEntry) -> str:
    """The text of a log entry, without the form's id."""
    return entry.get_change_message().partition(" [form ")[0]


def _show_messages(request: HttpRequest, done: Done | None) -> None:
    if done is None:
        messages.info(request, "This was done already: the form was sent twice.")
        return
    for _, text in done[:MAX_MESSAGES]:
        messages.success(request, text)
    if len(done) > MAX_MESSAGES:
        messages.success(request, f"And {len(done) - MAX_MESSAGES} more.")


def actor(request: HttpRequest) -> str:
    """Who acts: the email address, as the domain records it."""
    return str(request.user.email)[:254]  # type: ignore[union-attr]


def chosen_ids(request: HttpRequest, *, most: int = 100) -> list[int]:
    """The ids in `?ids=1,2,3`, each once, ascending; what is not a number is left out."""
    parts: Iterable[str] = request.GET.get("ids", "").split(",")
    return sorted({int(p) for p in parts if p.isascii() and p.isdigit() and len(p) < 19})[:most]
