"""Records that staff look at and never edit: the ledger, payments, events, mail.

They change through the domain's functions only. The admin has no form for them, whatever
permissions a person has.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.options import InlineModelAdmin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from apps.backoffice.checks import OfflineChecks
from apps.backoffice.nul_bytes import NulByteGuard


class ReadOnly:
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, NulByteGuard, ModelAdmin):
    """A list and a page to read. Its buttons are staff actions (actions.py)."""

    checks_class = OfflineChecks
    list_per_page = 50
    list_filter_submit = True
    show_full_result_count = False
    actions: Sequence[Any] = ()


class ReadOnlyInline(ReadOnly, TabularInline):
    """Rows of a record, newest page first, without a form."""

    extra = 0
    max_num = 0
    can_delete = False
    per_page = 25
    show_change_link = False
    hide_title = True


class MoneyIsRead:
    """Shows amounts in decimals to staff who may look and not change.

    Django shows them the model's own value, which is in minor units: $18.00 would read 1,800.
    `shown_instead` maps a form's field to the name of the method that formats it.
    """

    shown_instead: dict[str, str] = {}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if self._may_write(request, obj):
            return fieldsets
        return [
            (name, {**options, "fields": self._shown(options["fields"])})
            for name, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        if self._may_write(request, obj):
            return fields
        return (*fields, *self.shown_instead.values())

    def _may_write(self, request: HttpRequest, obj: Any) -> bool:
        rights: Any = self
        if isinstance(self, InlineModelAdmin):  # `obj` is the record that the rows belong to
            return rights.has_add_permission(request, obj) or rights.has_change_permission(
                request, obj
            )
        if obj is None:
            return rights.has_add_permission(request)
        return rights.has_change_permission(request, obj)

    def _shown(self, fields: Any) -> list[Any]:
        return [
            tuple(self._shown(name))
            if isinstance(name, (list, tuple))
            else self.shown_instead.get(name, name)
            for name in fields
        ]
