"""Shipping methods."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.backoffice.old_and_new import OldAndNew
from apps.shipping import carriers
from apps.shipping.admin.rates import RateInline
from apps.shipping.models import Method


class MethodForm(forms.ModelForm):
    """A method; its carrier is one of carriers/."""

    carrier = forms.ChoiceField(
        choices=lambda: [(code, code) for code in carriers.codes()],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Method
        fields = ("name", "code", "carrier", "min_days", "max_days", "position", "active")

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        least, most = cleaned.get("min_days"), cleaned.get("max_days")
        if least is not None and most is not None and most < least:
            self.add_error("max_days", "Not fewer than the fewest days.")
        return cleaned


@admin.register(Method)
class MethodAdmin(OldAndNew, ModelAdmin):
    """Methods, with their rates."""

    form = MethodForm
    inlines = (RateInline,)
    list_display = ("name", "code", "carrier", "days", "position", "active")
    search_fields = ("name", "code")
    ordering = ("position", "id")
    prepopulated_fields = {"code": ("name",)}
    fieldsets = (
        (None, {"fields": (
            ("name", "code"), ("carrier", "position"), ("min_days", "max_days"), "active",
        )}),
    )  # fmt: skip

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Orders refer to their method by its code.
        return ("code",) if obj is not None else ()

    @display(description="business days")
    def days(self, method: Method) -> str:
        return f"{method.min_days} to {method.max_days}"
