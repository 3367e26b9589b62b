"""The list of messages and the page of one."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from apps.backoffice import decision_log, review_cases
from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label
from apps.backoffice.order_links import LinksToOrder, ids_by_number
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.notifications import outbox
from apps.notifications.admin.dead_letters import DECIDE, DeadLetterFilter, is_open
from apps.notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(LinksToOrder, ReadOnlyAdmin):
    """The outbox, read only but for decisions about dead letters."""

    list_display = ("subject", "to", "order", "kind", "state_label", "attempts", "created_at")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        DeadLetterFilter,
        ("created_at", DaysFilter),
    )
    search_fields = ("=to",)
    search_help_text = "E-mail or order number"
    ordering = ("-id",)
    readonly_fields = (
        "order", "to", "subject", "text", "kind", "state_label", "attempts", "due_at",
        "last_error", "created_at", "sent_at", "decisions",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("order", "kind"), "to", "subject", "text")}),
        ("Delivery", {"fields": (
            ("state_label", "attempts"), "last_error", ("created_at", "due_at", "sent_at"),
        )}),
        ("Decisions", {"fields": ("decisions",)}),
    )  # fmt: skip
    actions = ("replay_selected", "dismiss_selected")
    actions_detail = ("replay_here", "dismiss_here")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(to__iexact=term) | Q(order_id__in=list(ids_by_number(term)))
        return queryset.filter(wanted), False

    @display(description="state", ordering="state")
    def state_label(self, message: Notification) -> SafeString:
        if message.state == Notification.State.DEAD and not is_open(message):
            return label("closed", "closed unsent")
        return label(message.state)

    @display(description="text")
    def text(self, message: Notification) -> SafeString:
        return format_html('<div class="bo-pre">{}</div>', message.body)

    @display(description="decisions")
    def decisions(self, message: Notification) -> SafeString | str:
        return review_cases.history(outbox.KIND, message.pk)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may decide about dead letters."""
        return request.user.has_perm(DECIDE)  # type: ignore[union-attr]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        message = self.get_object(request, str(object_id))
        if message is None or not is_open(message):
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description="Send again", url_path="replay", permissions=[DECIDE], icon="forward_to_inbox"
    )
    def replay_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, decision_log.RETRY, object_id)

    @action(description="Close unsent", url_path="dismiss", permissions=[DECIDE], icon="inventory")
    def dismiss_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, decision_log.RESOLVE, object_id)

    def _decide(self, request: HttpRequest, name: str, object_id: str) -> HttpResponse:
        message = self.get_object(request, object_id)
        if message is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        back = reverse("admin:notifications_notification_change", args=[message.pk])
        refs = [(outbox.KIND, str(message.pk))]
        return review_cases.decide(self, request, name, refs, back=back, target=message)

    @admin.action(description="Send again", permissions=["decide"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._decide_selected(request, queryset, decision_log.RETRY)

    @admin.action(description="Close unsent", permissions=["decide"])
    def dismiss_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._decide_selected(request, queryset, decision_log.RESOLVE)

    def _decide_selected(
        self, request: HttpRequest, queryset: QuerySet, name: str
    ) -> HttpResponse | None:
        dead = queryset.filter(state=Notification.State.DEAD, resolved_at__isnull=True)
        ids = list(dead.order_by("pk").values_list("pk", flat=True)[: review_cases.MAX_CASES + 1])
        if not ids:
            messages.error(request, "None of these is an open dead message.")
            return None
        return HttpResponseRedirect(
            review_cases.decide_url(name, [(outbox.KIND, str(pk)) for pk in ids], kind=outbox.KIND)
        )
