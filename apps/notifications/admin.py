"""Mail in the back office: what was written to whom, and the dead letters.

A dead letter is sent again or closed, by a person who says why; one by one or many at once, as
after an evening on which the mail server was away.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from apps.notifications import outbox
from apps.notifications.errors import NotDead, ReasonMissing
from apps.notifications.models import Notification
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Deed, Done, Refusal, actor, chosen_ids, perform
from storefront.backoffice.looks import label
from storefront.backoffice.order_links import LinksToOrder, ids_by_number
from storefront.backoffice.read_only import ReadOnlyAdmin

DECIDE = "notifications.change_notification"
MOST = 100  # letters in one decision


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
        "last_error", "created_at", "sent_at", "resolution", "resolved_by", "resolved_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("order", "kind"), "to", "subject", "text")}),
        ("Delivery", {"fields": (
            ("state_label", "attempts"), "last_error", ("created_at", "due_at", "sent_at"),
        )}),
        ("Decision", {"fields": ("resolution", ("resolved_by", "resolved_at"))}),
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
        return self._decide(request, "replay", [object_id], self._page(object_id))

    @action(description="Close unsent", url_path="dismiss", permissions=[DECIDE], icon="inventory")
    def dismiss_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, "dismiss", [object_id], self._page(object_id))

    @admin.action(description="Send again", permissions=["decide"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "replay")

    @admin.action(description="Close unsent", permissions=["decide"])
    def dismiss_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "dismiss")

    def get_urls(self) -> list[Any]:
        return [
            path(
                f"{verb}-selected/",
                self.admin_site.admin_view(self._bulk_view(verb)),
                name=f"notifications_notification_{verb}_selected",
            )
            for verb in ("replay", "dismiss")
        ] + super().get_urls()

    def _bulk_view(self, verb: str) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            ids = [str(i) for i in chosen_ids(request, most=MOST)]
            return self._decide(request, verb, ids, self._list())

        return view

    def _ask_for(self, request: HttpRequest, queryset: QuerySet, verb: str) -> HttpResponse | None:
        dead = queryset.filter(state=Notification.State.DEAD, resolved_at__isnull=True)
        ids = list(dead.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
        if not ids:
            messages.error(request, "None of these is an open dead letter.")
            return None
        if len(ids) > MOST:
            messages.error(request, f"Choose at most {MOST} letters at once.")
            return None
        url = reverse(f"admin:notifications_notification_{verb}_selected")
        return HttpResponseRedirect(f"{url}?ids={','.join(map(str, ids))}")

    def _decide(self, request: HttpRequest, verb: str, ids: list[str], back: str) -> HttpResponse:
        numbers = [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]
        letters = list(Notification.objects.filter(pk__in=numbers).order_by("pk"))
        if not letters:
            messages.error(request, "No such letter.")
            return HttpResponseRedirect(self._list())
        again = verb == "replay"
        what = "this letter" if len(letters) == 1 else f"these {len(letters)} letters"
        deed = Deed(
            title=f"Send {what} again" if again else f"Close {what} unsent",
            button="Send again" if again else "Close unsent",
            permission=DECIDE,
            explanation="Delivery starts anew, from its first try."
            if again
            else "The shopper does not get it.",
            facts=[(letter.to, letter.subject) for letter in letters[:10]],
            danger=not again,
            do=lambda form: _decided(letters, form, again=again, actor=actor(request)),
        )
        target = letters[0] if len(letters) == 1 else None
        return perform(self, request, deed, back=back, target=target)

    def _page(self, object_id: str) -> str:
        return reverse("admin:notifications_notification_change", args=[object_id])

    def _list(self) -> str:
        return reverse("admin:notifications_notification_changelist")


def _decided(letters: list[Notification], form: Any, *, again: bool, actor: str) -> Done:
    decide = outbox.replay if again else outbox.dismiss
    reason = form.cleaned_data["reason"]
    done = []
    for letter in letters:
        try:
            decide(letter, actor=actor, reason=reason)
        except (NotDead, ReasonMissing) as refused:
            raise Refusal(f"{letter}: {refused} Nothing was changed.") from refused
        word = "sent again" if again else "closed unsent"
        done.append((letter, f"{letter}: {word}. {reason}"))
    return done
