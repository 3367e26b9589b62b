"""The buttons "Receive units", "Count" and "Adjust count": for one stock item or a selection.

Each asks on a page of its own and then goes through `stock.receive`, `stock.count` or
`stock.adjust`. A count says what lies on the shelf, an adjustment by how much the books are wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from unfold.decorators import action

from apps.backoffice.actions import Done, Refusal, StaffAction, actor, chosen_ids, perform
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.inventory import stock
from apps.inventory.admin.movement_forms import (
    MOST_UNITS,
    CountForm,
    MovementForm,
    ReceiveNewForm,
    name_of,
)
from apps.inventory.models import Warehouse

MOST_ITEMS = 50  # stock items in one bulk movement
MOVE = "inventory.add_stockmovement"
ARRIVED = "Units that have arrived go on the shelf at once and are for sale."


@dataclass(frozen=True)
class Verb:
    """One of the movements: what its page says, its form, and what it does."""

    title: str
    button: str
    explanation: str
    form: Callable[..., Any]
    move: Callable[..., Done]


def _numbers(field: forms.IntegerField) -> Callable[..., MovementForm]:
    return partial(MovementForm, field=field)


def _receive(form: MovementForm, actor: str) -> Done:
    """Receive units of every stock item of the form."""
    return _move(form, is_receipt=True, actor=actor)


def _adjust(form: MovementForm, actor: str) -> Done:
    """Adjust every stock item of the form."""
    return _move(form, is_receipt=False, actor=actor)


def _count(form: CountForm, actor: str) -> Done:
    """Book the counts of the form, all of them or none."""
    done = []
    reason = form.cleaned_data["reason"]
    for item, counted, seen in form.counted():
        sku = item.variant.sku
        try:
            moved = stock.count(item, counted=counted, seen=seen, reason=reason, actor=actor)
        except stock.CountedMeanwhile as meanwhile:
            # Not beside the field: this page compares with books that are out of date.
            raise Refusal(
                f"{sku}: somebody has counted or adjusted it meanwhile, {meanwhile.on_hand} are in"
                " the books now. Nothing was changed: open the page again and compare."
            ) from meanwhile
        except stock.WouldGoBelowReserved as refused:
            raise _too_few(refused, name_of(item)) from refused
        change = counted - seen.on_hand
        told = f"{change:+d}" if change else "as in the books"
        done.append((item, f"{sku}: counted {counted}, {told}, now {moved.on_hand}. {reason}"))
    return done


VERBS = {
    "receive": Verb(
        title="Receive units",
        button="Receive",
        explanation=ARRIVED,
        form=_numbers(forms.IntegerField(min_value=1, max_value=MOST_UNITS)),
        move=_receive,
    ),
    "count": Verb(
        title="Count",
        button="Book the count",
        explanation="Enter what lies on the shelf. Units that are sold while you count are no"
        " mistake: the count is compared with the books as they were when this page was opened. A"
        " count that agrees is kept as well, with your name.",
        form=CountForm,
        move=_count,
    ),
    "adjust": Verb(
        title="Adjust count",
        button="Adjust",
        explanation="Corrects what lies on the shelf. Units held for running orders stay.",
        form=_numbers(
            forms.IntegerField(
                min_value=-MOST_UNITS,
                max_value=MOST_UNITS,
                help_text="The difference: -2 when two are missing, 3 when three turned up.",
            )
        ),
        move=_adjust,
    ),
}


class MovementActions(ReadOnlyAdmin):
    """The part of StockItemAdmin that moves units."""

    actions: Sequence[str] = ("receive_selected", "count_selected", "adjust_selected")
    actions_list = ("receive_new",)
    actions_detail = ("receive_here", "count_here", "adjust_here")

    def has_move_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may put units in or correct a count."""
        return request.user.has_perm(MOVE)  # type: ignore[union-attr]

    @admin.action(description="Receive units", permissions=["move"])
    def receive_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._to_bulk_page(request, queryset, "receive")

    @admin.action(description="Adjust count", permissions=["move"])
    def adjust_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._to_bulk_page(request, queryset, "adjust")

    @admin.action(description="Count", permissions=["move"])
    def count_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._to_bulk_page(request, queryset, "count")

    @action(description="Count", url_path="count", permissions=[MOVE], icon="pin")
    def count_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._movement_page(request, "count", [object_id], back=_page_url(object_id))

    @action(description="Receive units", url_path="receive", permissions=[MOVE], icon="add_box")
    def receive_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._movement_page(request, "receive", [object_id], back=_page_url(object_id))

    @action(description="Adjust count", url_path="adjust", permissions=[MOVE], icon="edit_note")
    def adjust_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._movement_page(request, "adjust", [object_id], back=_page_url(object_id))

    @action(description="Receive units", url_path="receive", permissions=[MOVE], icon="add_box")
    def receive_new(self, request: HttpRequest) -> HttpResponse:
        asked = StaffAction(
            title="Receive units",
            button="Receive",
            permission=MOVE,
            form=ReceiveNewForm,
            initial={"warehouse": Warehouse.objects.filter(is_default=True).first()},
            explanation=ARRIVED,
            do=lambda form: _receive_new(form, actor(request)),
        )
        return perform(self, request, asked, back=_list_url())

    def get_urls(self) -> list[Any]:
        bulk = [
            path(
                f"{name}-selected/",
                self.admin_site.admin_view(self._bulk_view(name)),
                name=f"inventory_stockitem_{name}_selected",
            )
            for name in VERBS
        ]
        return bulk + super().get_urls()

    def _bulk_view(self, name: str) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            ids = [str(i) for i in chosen_ids(request, most=MOST_ITEMS)]
            return self._movement_page(request, name, ids, back=_list_url())

        return view

    def _to_bulk_page(
        self, request: HttpRequest, queryset: QuerySet, name: str
    ) -> HttpResponse | None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST_ITEMS + 1])
        if len(ids) > MOST_ITEMS:
            messages.error(request, f"Choose at most {MOST_ITEMS} shelves at once.")
            return None
        url = reverse(f"admin:inventory_stockitem_{name}_selected")
        return HttpResponseRedirect(f"{url}?ids={','.join(map(str, ids))}")

    def _movement_page(
        self, request: HttpRequest, name: str, ids: list[str], *, back: str
    ) -> HttpResponse:
        numbers = [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]
        # Ascending id: two people with overlapping selections wait instead of deadlocking.
        items = list(self.get_queryset(request).filter(pk__in=numbers).order_by("pk"))
        if not items:
            messages.error(request, "No such shelf.")
            return HttpResponseRedirect(_list_url())
        verb = VERBS[name]
        asked = StaffAction(
            title=verb.title,
            button=verb.button,
            permission=MOVE,
            explanation=verb.explanation,
            form=partial(verb.form, items=items),
            do=lambda form: verb.move(form, actor(request)),
        )
        target = items[0] if len(items) == 1 else None
        return perform(self, request, asked, back=back, target=target)


def _page_url(object_id: str) -> str:
    return reverse("admin:inventory_stockitem_change", args=[object_id])


def _list_url() -> str:
    return reverse("admin:inventory_stockitem_changelist")


def _move(form: MovementForm, *, is_receipt: bool, actor: str) -> Done:
    """Move units of every stock item of the form, or raise a Refusal that names the field."""
    done = []
    reason = form.cleaned_data["reason"]
    for item in form.items:
        sku, units, at = item.variant.sku, form.cleaned_data[name_of(item)], item.warehouse
        try:
            if is_receipt:
                moved = stock.receive(
                    sku=sku, quantity=units, reason=reason, actor=actor, warehouse=at
                )
            else:
                moved = stock.adjust(
                    sku=sku, change=units, reason=reason, actor=actor, warehouse=at
                )
        except stock.WouldGoBelowReserved as refused:
            raise _too_few(refused, name_of(item)) from refused
        done.append((item, f"{sku}: {units:+d}, now {moved.on_hand} on hand. {reason}"))
    return done


def _too_few(refused: stock.WouldGoBelowReserved, field: str) -> Refusal:
    return Refusal(
        f"{refused.on_hand} on hand, {refused.reserved} of them held for orders:"
        f" at most {refused.on_hand - refused.reserved} can be taken away.",
        field=field,
    )


def _receive_new(form: ReceiveNewForm, actor: str) -> Done:
    sku, quantity = form.cleaned_data["sku"], form.cleaned_data["quantity"]
    reason = form.cleaned_data["reason"]
    try:
        item = stock.receive(
            sku=sku,
            quantity=quantity,
            reason=reason,
            actor=actor,
            warehouse=form.cleaned_data["warehouse"],
        )
    except stock.UnknownSku as unknown:
        raise Refusal("No variant has this SKU.", field="sku") from unknown
    return [(item, f"{sku}: {quantity:+d}, now {item.on_hand} on hand. {reason}")]
