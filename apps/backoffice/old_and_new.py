"""The history of a record that has a form: each field's old and new value, and who changed it.

Django's log says which fields of a form were changed and by whom; this adds what stood there. It
stays Django's log, read on the page "History" of each record: the tables need no copy of every
version, and nothing is written where no person has changed anything.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.utils import construct_change_message
from django.db.models import Manager, Model, QuerySet
from django.forms.utils import pretty_name
from django.http import HttpRequest
from django.utils import timezone

LONGEST = 120  # characters of a value; a longer one (a description) is cut
NOTHING = "–"


class OldAndNew:
    """For an admin whose changes are logged with old and new values. Stands before ModelAdmin."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        """Django's message, in which each name of a field is `price: 18.00 → 20.00`."""
        message = construct_change_message(form, formsets, add)
        for entry, changed in zip(_entries(message), _forms(form, formsets, add), strict=True):
            entry["fields"] = changes(changed)
        return message


def changes(form: Any) -> list[str]:
    """What a valid form changes, as `name: old → new` for each field."""
    return [
        f"{form.fields[name].label or pretty_name(name)}:"
        f" {_was(form, name)} → {shown(form.fields[name], form.cleaned_data.get(name))}"
        for name in form.changed_data
        if name in form.fields
    ]


def shown(field: forms.Field, value: Any) -> str:
    """A value as people read it in this field: an amount as a decimal, a choice by its label."""
    if isinstance(value, Manager):
        value = value.all()
    if isinstance(value, (QuerySet, set, tuple)):
        value = list(value)
    if value in (None, "", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        moment = timezone.localtime(value) if timezone.is_aware(value) else value
        return moment.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, list) and all(isinstance(each, Model) for each in value):
        return _cut(", ".join(map(str, value)))
    labels = {str(key): str(label) for key, label in _choices(field)}
    text = value if isinstance(value, Model) else field.prepare_value(value)
    return _cut(labels.get(str(text), str(text)))


def _was(form: Any, name: str) -> str:
    field: Any = form.fields[name]
    old = form.get_initial_for_field(field, name)
    if isinstance(field, forms.ModelChoiceField) and not isinstance(old, (list, Model, QuerySet)):
        key = field.to_field_name or "pk"
        records: Any = field.queryset
        manager = records.model._default_manager
        old = manager.filter(**{key: old}).first() if old not in (None, "") else None
    return shown(field, old)


def _choices(field: Any) -> Iterable[tuple[Any, Any]]:
    """The flat choices of a field; none for choices of records, which are read one by one."""
    if isinstance(field, forms.ModelChoiceField) or not isinstance(field, forms.ChoiceField):
        return []
    choices: Any = field.choices
    found: list[tuple[Any, Any]] = []
    for key, label in choices:
        found += label if isinstance(label, (list, tuple)) else [(key, label)]
    return found


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _entries(message: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of Django's message that name fields, in its order."""
    return [entry["changed"] for entry in message if "changed" in entry]


def _forms(form: Any, formsets: Any, add: bool) -> list[Any]:
    """The changed forms, in the order in which Django's message names them."""
    found = [form] if form.changed_data and not add else []
    for formset in formsets or ():
        by_record = {id(each.instance): each for each in formset.forms}
        found += [by_record[id(record)] for record, _names in formset.changed_objects]
    return found
