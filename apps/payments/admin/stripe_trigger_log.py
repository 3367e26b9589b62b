"""The page of dj-stripe's log of received webhooks (WebhookEventTrigger), to look at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from djstripe import models
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.payments.admin.stripe_base import link_to
from apps.payments.payload_display import as_json


@admin.register(models.WebhookEventTrigger)
class WebhookEventTriggerAdmin(ReadOnlyAdmin):
    """The log of webhooks: those that were mirrored or are out of tries, and refused ones."""

    list_display = (
        "id", "verdict", "processed", "event_link", "remote_ip", "exception", "created",
    )  # fmt: skip
    list_filter = (
        ("valid", BooleanRadioFilter),
        ("processed", BooleanRadioFilter),
        ("created", DaysFilter),
    )
    search_fields = ("=event__id",)
    search_help_text = "The event's id (evt_…)"
    ordering = ("-id",)
    fields = readonly_fields = (
        "id", "verdict", "processed", "event_link", "remote_ip", "exception", "endpoint",
        "djstripe_version", "created", "updated", "headers_shown", "content",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        match = request.resolver_match
        in_list = match is not None and str(match.url_name).endswith("changelist")
        return rows.defer("body", "headers", "traceback") if in_list else rows

    @display(description="signature", ordering="valid")
    def verdict(self, logged: Any) -> SafeString:
        return label("succeeded", "valid") if logged.valid else label("failed", "refused")

    @display(description="event")
    def event_link(self, logged: Any) -> SafeString | str:
        return link_to(models.Event, logged.event_id)

    @display(description="webhook endpoint")
    def endpoint(self, logged: Any) -> SafeString | str:
        return link_to(models.WebhookEndpoint, logged.webhook_endpoint_id)

    @display(description="headers")
    def headers_shown(self, logged: Any) -> SafeString:
        return as_json(logged.headers)

    @display(description="body")
    def content(self, logged: Any) -> SafeString:
        return as_json(logged.json_body or logged.body)
