"""The day at a glance: the admin's first page.

Figures of today are read along the primary keys: order and payment ids are UUIDv7, they begin with
the millisecond in which they were made, so "since midnight" is a range of ids and costs what a day
costs, with five million past orders as with none. (The ids come from the web workers' clocks; for a
figure to look at that is good enough. What decides anything asks the database's clock.)

Everything else is a count over a small part of a table or a list of a few rows. A person sees the
parts that they may open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from apps.desk import kinds, page
from apps.desk.kinds import Kind
from apps.inventory.models import StockItem
from apps.orders.models import Order, Saga
from apps.payments.models import Payment
from storefront.backoffice.looks import amount

LOW = 5  # units for sale
LATEST_SHOWN, LOW_SHOWN = 8, 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name and where it leads; `alarm`: somebody should look."""

    name: str
    value: str
    url: str
    note: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """The first page."""

    figures: Sequence[Figure]
    latest: Sequence[Order] | None
    waiting: Sequence[page.Row]
    desk_url: str
    low: Sequence[StockItem] | None
    sold_out: int


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    may: Any = request.user
    sees_stock = may.has_perm("inventory.view_stockitem")
    desk = kinds.seen_by(may)
    context["day"] = Day(
        figures=_figures(may, desk),
        latest=list(Order.objects.select_related("saga")[:LATEST_SHOWN])
        if may.has_perm("orders.view_order")
        else None,
        waiting=page.rows_of(kinds.oldest(desk, count=LATEST_SHOWN)),
        desk_url=page.address(),
        low=_low_stock() if sees_stock else None,
        sold_out=_on_sale().filter(on_hand__lte=F("reserved")).count() if sees_stock else 0,
    )
    return context


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond (RFC 9562: 48 bits of milliseconds in front)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _figures(may: Any, desk: Sequence[Kind]) -> list[Figure]:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today = first_id_of(midnight)
    figures = []
    if may.has_perm("orders.view_order"):
        figures += _order_figures(today)
    if may.has_perm("payments.view_payment"):
        figures.append(_revenue(today))
    if desk:
        figures.append(_waiting(desk))
    if may.has_perm("orders.view_saga"):
        figures.append(_due())
    return figures


def _order_figures(today: UUID) -> list[Figure]:
    counted = Order.objects.filter(pk__gte=today).aggregate(
        placed=Count("pk"), cancelled=Count("pk", filter=Q(status=Order.Status.CANCELLED))
    )
    url = reverse("admin:orders_order_changelist")
    return [
        Figure(
            "Orders today",
            f"{counted['placed']:,}",
            url,
            note=f"{counted['cancelled']:,} cancelled" if counted["cancelled"] else "",
        )
    ]


def _revenue(today: UUID) -> Figure:
    sums = Payment.objects.filter(pk__gte=today).aggregate(
        taken=Sum("captured_amount"), back=Sum("refunded_amount")
    )
    taken, back = sums["taken"] or 0, sums["back"] or 0
    return Figure(
        "Revenue today",
        amount(taken - back),
        reverse("admin:payments_payment_changelist"),
        note=f"{amount(back)} refunded" if back else "captured, refunds taken off",
    )


def _waiting(desk: Sequence[Kind]) -> Figure:
    counted = kinds.counts(desk)
    total = sum(counted.values())
    parts = [f"{kind.title.lower()} {counted[kind.name]:,}" for kind in desk if counted[kind.name]]
    return Figure(
        "Needs a person",
        f"{total:,}",
        page.address(),
        note=", ".join(parts) or "nothing waits",
        alarm=total > 0,
    )


def _due() -> Figure:
    due = Saga.objects.filter(
        state__in=[Saga.State.FORWARD, Saga.State.UNDOING], due_at__lte=Now()
    ).count()
    queue = reverse("admin:orders_saga_changelist")
    return Figure("Sagas due", f"{due:,}", f"{queue}?state=due", note="waiting for a worker")


def _on_sale() -> QuerySet[StockItem]:
    return StockItem.objects.filter(variant__active=True, variant__product__published=True)


def _low_stock() -> list[StockItem]:
    """Shelves of what is on sale with few units left, the emptiest first."""
    return list(
        _on_sale()
        .filter(on_hand__gt=F("reserved"), on_hand__lte=F("reserved") + LOW)
        .annotate(for_sale=F("on_hand") - F("reserved"))
        .select_related("variant__product", "warehouse")
        .order_by("for_sale", "variant__product__name", "id")[:LOW_SHOWN]
    )
