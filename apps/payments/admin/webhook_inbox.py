"""The page of a webhook event, where staff decide about one that could not be applied or copied."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from apps.backoffice import decision_log, review_cases
from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.payments import inbox, mirror
from apps.payments.admin.webhook_cases import DECIDE
from apps.payments.models import WebhookInbox
from apps.payments.payload_display import as_json

State = WebhookInbox.State


class UndecidedFilter(DropdownFilter):
    """Events that wait for a decision of staff, or had one."""

    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "open":
                return queryset.filter(
                    state__in=[State.DEAD, State.QUARANTINED], resolved_at__isnull=True
                )
            case "closed":
                return queryset.filter(resolved_at__isnull=False)
        return queryset


@admin.register(WebhookInbox)
class WebhookInboxAdmin(ReadOnlyAdmin):
    """Every verified event of the gateway, once."""

    list_display = (
        "event_id", "type", "state_label", "attempts", "error", "received_at", "processed_at",
    )  # fmt: skip
    list_filter = (
        ("state", ChoicesDropdownFilter),
        UndecidedFilter,
        ("received_at", DaysFilter),
    )
    search_fields = ("=event_id", "=type")
    search_help_text = "The event's id (evt_…) or its whole type"
    ordering = ("-received_at", "event_id")
    readonly_fields = (
        "event_id", "type", "state_label", "attempts", "due_at", "error", "received_at",
        "processed_at", "mirrored_at", "mirror_attempts", "mirror_error", "endpoint", "remote_ip",
        "decisions", "content",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("event_id", "type"), ("state_label", "attempts"), "error")}),
        ("Times", {"fields": (
            ("received_at", "due_at", "processed_at"),
        )}),
        ("Sender", {"fields": (("remote_ip", "endpoint"),)}),
        ("Copy in dj-stripe's tables", {"fields": (
            ("mirrored_at", "mirror_attempts"), "mirror_error",
        )}),
        ("Decisions", {"fields": ("decisions",)}),
        ("Content", {"fields": ("content",)}),
    )  # fmt: skip
    actions_detail = ("apply_again", "leave_be", "mirror_again", "give_up_mirror")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        # A list of fifty events need not read fifty payloads.
        match = request.resolver_match
        return (
            rows.defer("payload") if match and str(match.url_name).endswith("changelist") else rows
        )

    @display(description="state", ordering="state")
    def state_label(self, event: WebhookInbox) -> SafeString:
        decided = event.resolved_at is not None and event.state in (State.DEAD, State.QUARANTINED)
        return label("closed", f"{event.state}, decided") if decided else label(event.state)

    @display(description="content")
    def content(self, event: WebhookInbox) -> SafeString:
        return as_json(event.payload)

    @display(description="decisions")
    def decisions(self, event: WebhookInbox) -> SafeString | str:
        return review_cases.history(inbox.KIND, event.pk) + review_cases.history(
            mirror.KIND, event.pk
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        event_id = unquote(str(object_id)).replace("\x00", "")
        offered: tuple[str, ...] = ()
        if inbox.undecided().filter(pk=event_id).exists():
            offered += ("apply_again", "leave_be")
        if mirror.failed().filter(pk=event_id).exists():
            offered += ("mirror_again", "give_up_mirror")
        return [
            shown
            for shown in super().get_actions_detail(request, object_id)
            if shown.action_name.endswith(offered)
        ]

    @action(description="Apply again", url_path="apply-again", permissions=[DECIDE], icon="replay")
    def apply_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, inbox.KIND, decision_log.RETRY, object_id)

    @action(description="Leave it be", url_path="leave-be", permissions=[DECIDE], icon="task_alt")
    def leave_be(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, inbox.KIND, decision_log.RESOLVE, object_id)

    @action(
        description="Mirror again", url_path="mirror-again", permissions=[DECIDE], icon="replay"
    )
    def mirror_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, mirror.KIND, decision_log.RETRY, object_id)

    @action(
        description="Do without its copy",
        url_path="give-up-mirror",
        permissions=[DECIDE],
        icon="task_alt",
    )
    def give_up_mirror(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, mirror.KIND, decision_log.RESOLVE, object_id)

    def _decide(self, request: HttpRequest, kind: str, name: str, object_id: str) -> HttpResponse:
        event = self.get_object(request, unquote(object_id))
        if event is None:
            messages.error(request, "No such event.")
            return HttpResponseRedirect(reverse("admin:payments_webhookinbox_changelist"))
        back = reverse("admin:payments_webhookinbox_change", args=[quote(event.pk)])
        return review_cases.decide(self, request, name, [(kind, event.pk)], back=back, target=event)
