"""The page of the reconciler's runs."""

from django.contrib import admin

from apps.backoffice.read_only import ReadOnlyAdmin
from apps.payments.models import Reconciliation


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """How far each comparison with the gateway has come."""

    list_display = (
        "scope", "phase", "compared", "settled", "started_at", "finished_at", "failures", "error",
    )  # fmt: skip
    ordering = ("scope",)
    fields = readonly_fields = (
        "scope", "phase", "since", "until", "changed_since", "compared", "settled", "started_at",
        "finished_at", "failures", "error",
    )  # fmt: skip
