"""Mail in the back office: what was written to whom, and the dead letters.

A dead letter is sent again or closed, by a person who says why; one by one or many at once, as
after an evening on which the mail server was away.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from apps.desk import kinds, log, page
from apps.desk.kinds import Case, Kind, Way
from apps.notifications import outbox
from apps.notifications.errors import NotDead
from apps.notifications.models import Notification
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Refusal
from storefront.backoffice.looks import label, times
from storefront.backoffice.order_links import LinksToOrder, ids_by_number
from storefront.backoffice.read_only import ReadOnlyAdmin

DECIDE = "notifications.change_notification"


def is_open(letter: Notification) -> bool:
    """A dead letter that nobody has decided about."""
    return letter.state == Notification.State.DEAD and letter.resolved_at is None


class DeadLetterFilter(DropdownFilter):
    """What waits for a person."""

    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "open":
                return queryset.filter(state=Notification.State.DEAD, resolved_at__isnull=True)
            case "closed":
                return queryset.filter(resolved_at__isnull=False)
        return queryset


@admin.register(Notification)
class NotificationAdmin(LinksToOrder, ReadOnlyAdmin):
    """The outbox: one row per order and kind."""

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
    def state_label(self, letter: Notification) -> SafeString:
        if letter.state == Notification.State.DEAD and not is_open(letter):
            return label("closed", "closed unsent")
        return label(letter.state)

    @display(description="text")
    def text(self, letter: Notification) -> SafeString:
        return format_html('<div class="bo-pre">{}</div>', letter.body)

    @display(description="decisions")
    def decisions(self, letter: Notification) -> SafeString | str:
        return page.history(outbox.KIND, letter.pk)

    # --- decisions ------------------------------------------------------------------------------

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may decide about dead letters."""
        return request.user.has_perm(DECIDE)  # type: ignore[union-attr]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        letter = self.get_object(request, str(object_id))
        if letter is None or not is_open(letter):
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description="Send again", url_path="replay", permissions=[DECIDE], icon="forward_to_inbox"
    )
    def replay_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, log.RETRY, object_id)

    @action(description="Close unsent", url_path="dismiss", permissions=[DECIDE], icon="inventory")
    def dismiss_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, log.RESOLVE, object_id)

    def _decide(self, request: HttpRequest, name: str, object_id: str) -> HttpResponse:
        letter = self.get_object(request, object_id)
        if letter is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        back = reverse("admin:notifications_notification_change", args=[letter.pk])
        refs = [(outbox.KIND, str(letter.pk))]
        return page.decide(self, request, name, refs, back=back, target=letter)

    @admin.action(description="Send again", permissions=["decide"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, log.RETRY)

    @admin.action(description="Close unsent", permissions=["decide"])
    def dismiss_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, log.RESOLVE)

    def _ask_for(self, request: HttpRequest, queryset: QuerySet, name: str) -> HttpResponse | None:
        dead = queryset.filter(state=Notification.State.DEAD, resolved_at__isnull=True)
        ids = list(dead.order_by("pk").values_list("pk", flat=True)[: page.MOST + 1])
        if not ids:
            messages.error(request, "None of these is an open dead letter.")
            return None
        return HttpResponseRedirect(
            page.deciding(name, [(outbox.KIND, str(pk)) for pk in ids], kind=outbox.KIND)
        )


# --- On the desk --------------------------------------------------------------------------------


def _described(keys: Sequence[str]) -> list[Case]:
    ids = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 19]
    return [
        Case(
            kind=outbox.KIND,
            key=str(letter.pk),
            subject=letter.subject,
            url=reverse("admin:notifications_notification_change", args=[letter.pk]),
            why=f"{letter.to} did not get it: {letter.last_error or 'no word from the server'}",
            since=letter.created_at,
            tried=f"tried {times(letter.attempts)}",
            order_id=letter.order_id,
        )
        for letter in Notification.objects.filter(pk__in=ids).defer("body")
    ]


def _decider(verb: Callable[..., None], words: str) -> Callable[..., tuple[Notification, str]]:
    def decide(key: str, *, actor: str, reason: str) -> tuple[Notification, str]:
        letter = Notification.objects.get(pk=int(key))
        try:
            verb(letter, actor=actor, reason=reason)
        except NotDead as refused:
            raise Refusal(f"{letter}: {refused} Nothing was changed.") from refused
        return letter, f"{letter}: {words}. {reason}"

    return decide


kinds.register(
    Kind(
        name=outbox.KIND,
        title="Mail",
        one="mail",
        view="notifications.view_notification",
        decide=DECIDE,
        waiting=outbox.dead_letters,
        since="created_at",
        describe=_described,
        ways=(
            Way(
                log.RETRY,
                "Send again",
                "Delivery starts anew, from its first try.",
                _decider(outbox.replay, "sent again"),
            ),
            Way(
                log.RESOLVE,
                "Close unsent",
                "The shopper does not get it.",
                _decider(outbox.dismiss, "closed unsent"),
                danger=True,
            ),
        ),
    )
)
