"""What the pages of dj-stripe's copies have in common: read-only, and without secrets.

dj-stripe's own pages are taken off here. They let staff write to Stripe past the shop's books, and
show client secrets; its tables hold webhook secrets and API keys in the clear. Our pages show the
kinds of objects that the shop's mirror fills. API keys (APIKey) have no page: they hold nothing
else. What an object holds is shown as JSON without secrets (payload_display.py).
"""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import amount, label, link
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.payments.admin.stripe_texts import make_text_safe
from apps.payments.gateway_amounts import from_gateway
from apps.payments.payload_display import as_json

for model in [m for m in admin.site._registry if m._meta.app_label == "djstripe"]:
    admin.site.unregister(model)
for model in apps.get_app_config("djstripe").get_models():
    make_text_safe(model)


class StripeObjectAdmin(ReadOnlyAdmin):
    """A page of one kind of Stripe's objects.

    `shown` are its columns besides the id and the time of creation; `own` are the fields that only
    dj-stripe has.
    """

    shown: tuple[str, ...] = ()
    own: tuple[str, ...] = ("livemode", "djstripe_updated")
    search_fields: tuple[str, ...] = ("=id",)
    search_help_text = "Stripe's id, whole"
    ordering = ("-djstripe_id",)
    list_filter: tuple[Any, ...] = (("created", DaysFilter),)

    def get_list_display(self, request: HttpRequest) -> Any:
        return ("id", *self.shown, "created")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("id", *self.shown, "created", *self.own, "content")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        # A list need not read fifty objects, beyond the columns that it shows.
        rows = super().get_queryset(request).select_related(None)
        match = request.resolver_match
        in_list = match is not None and str(match.url_name).endswith("changelist")
        return rows.defer("metadata") if in_list else rows

    @display(description="content")
    def content(self, kept: Any) -> SafeString:
        return as_json(kept.stripe_data)

    @display(description="amount")
    def money(self, kept: Any) -> str:
        return stripe_amount(kept.stripe_data.get("amount"), kept.stripe_data.get("currency", ""))

    @display(description="status")
    def state(self, kept: Any) -> SafeString | str:
        status = kept.stripe_data.get("status")
        return label(status) if status else "–"


def stripe_amount(number: int | None, currency: str) -> str:
    """An amount as Stripe counts it, for people; `currency` in Stripe's lower case."""
    code = currency.upper()
    return amount(None if number is None else from_gateway(number, code), code)


def link_to(model: Any, id: str | None) -> SafeString | str:
    """A link to the page of the object with this id, through the list: it may not be copied."""
    if not id:
        return "–"
    listing = reverse(f"admin:djstripe_{model._meta.model_name}_changelist")
    return link(f"{listing}?q={id}", id)
