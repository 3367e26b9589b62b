"""What staff do to a record beyond editing it: cancel, refund, receive, decide.

A deed is asked for on a page of its own (GET) and done by a POST from that page:

    1. permission, else 403
    2. the form, errors beside the fields and what was typed kept
    3. in one transaction: take the form's turn, do it, write the audit entries
    4. a message, and back to where one came from

Each rendered form carries an id of its own, and a form is done once. Without that, a double click
on "Receive 10 units" makes twenty. The record of what was done is Django's log entry, which names
the form: the second click waits for the first one's commit (an advisory lock on the id), finds the
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

TEMPLATE = "admin/backoffice/deed.html"
TOLD = 5  # deeds named one by one in the message after a bulk action


class Refusal(Exception):
    """The domain said no. `field`: which entry of the form is at fault, if one is."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class DeedForm(forms.Form):
    """A confirmation. `form_id` is new for each rendering and kept when the form comes back."""

    form_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"form_id": uuid.uuid4()} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)


class ReasonForm(DeedForm):
    """A confirmation that asks why; the reason is kept with the deed."""

    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with your name.",
    )


Done = Sequence[tuple[models.Model, str]]


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One action as it is asked for. `do` answers what was done to which record, in words."""

    title: str
    button: str
    permission: str
    do: Callable[[Any], Done]
    form: Callable[..., DeedForm] = ReasonForm
    explanation: str = ""
    facts: Sequence[tuple[str, Any]] = ()
    danger: bool = False
    initial: Mapping[str, Any] = field(default_factory=dict)


def perform(
    admin: ModelAdmin, request: HttpRequest, deed: Deed, *, back: str, target: Any = None
) -> HttpResponse:
    """Show the deed's page, or do it. `target` is the record it is about, for the breadcrumbs."""
    if not request.user.has_perm(deed.permission):  # type: ignore[union-attr]
        raise PermissionDenied
    form = deed.form(request.POST if request.method == "POST" else None, initial=deed.initial)
    if request.method == "POST" and form.is_valid():
        try:
            done = _do(admin, request, deed, form)
        except Refusal as refusal:
            if refusal.field is None:
                messages.error(request, str(refusal))
                return HttpResponseRedirect(back)
            form.add_error(refusal.field, str(refusal))
        else:
            _tell(request, done)
            return HttpResponseRedirect(back)
    context = {
        **admin.admin_site.each_context(request),
        "title": deed.title,
        "deed": deed,
        "form": form,
        "back": back,
        "opts": admin.opts,
        "original": target,
    }
    return TemplateResponse(request, TEMPLATE, context)


def _do(admin: ModelAdmin, request: HttpRequest, deed: Deed, form: DeedForm) -> Done | None:
    form_id = form.cleaned_data["form_id"]
    with transaction.atomic():
        if _is_done(request, form_id):
            return None
        done = deed.do(form)
        for record, words in done:
            admin.log_change(request, record, f"{words} {_mark(form_id)}")
    return done


def _is_done(request: HttpRequest, form_id: uuid.UUID) -> bool:
    with connection.cursor() as cursor:
        # Held until the commit: a second click on the same form waits here for the first.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(form_id)])
    return LogEntry.objects.filter(
        user_id=request.user.pk or 0, change_message__endswith=_mark(form_id)
    ).exists()


def _mark(form_id: uuid.UUID) -> str:
    return f"[form {form_id}]"


def words_of(entry: LogEntry) -> str:
    """What a log entry says, without the form's mark."""
    return entry.get_change_message().partition(" [form ")[0]


def _tell(request: HttpRequest, done: Done | None) -> None:
    if done is None:
        messages.info(request, "This was done already: the form was sent twice.")
        return
    for _, words in done[:TOLD]:
        messages.success(request, words)
    if len(done) > TOLD:
        messages.success(request, f"And {len(done) - TOLD} more.")


def actor(request: HttpRequest) -> str:
    """Who acts, as the domain writes it down."""
    return str(request.user.email)[:254]  # type: ignore[union-attr]


def chosen_ids(request: HttpRequest, *, most: int = 100) -> list[int]:
    """The ids in `?ids=1,2,3`, each once, ascending; what is not a number is left out."""
    parts: Iterable[str] = request.GET.get("ids", "").split(",")
    return sorted({int(p) for p in parts if p.isascii() and p.isdigit() and len(p) < 19})[:most]
