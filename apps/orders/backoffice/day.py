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

from apps.inventory.models import StockItem
from apps.notifications.models import Notification
from apps.orders.models import Order, Saga
from apps.payments.models import Discrepancy, Payment, WebhookInbox
from storefront.backoffice.looks import amount

LOW = 5  # units for sale
LATEST_SHOWN, LOW_SHOWN = 8, 10
DEAD_EVENTS = (WebhookInbox.State.DEAD, WebhookInbox.State.QUARANTINED)


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
    waiting: Sequence[Saga] | None
    low: Sequence[StockItem] | None
    sold_out: int


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    may: Any = request.user
    sees_stock = may.has_perm("inventory.view_stockitem")
    context["day"] = Day(
        figures=_figures(may),
        latest=list(Order.objects.select_related("saga")[:LATEST_SHOWN])
        if may.has_perm("orders.view_order")
        else None,
        waiting=list(in_review().select_related("order")[:LATEST_SHOWN])
        if may.has_perm("orders.view_saga")
        else None,
        low=_low_stock() if sees_stock else None,
        sold_out=_on_sale().filter(on_hand__lte=F("reserved")).count() if sees_stock else 0,
    )
    return context


def in_review() -> QuerySet[Saga]:
    """The review queue, who has waited longest first."""
    return Saga.objects.filter(state=Saga.State.REVIEW).order_by("updated_at")


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond (RFC 9562: 48 bits of milliseconds in front)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _figures(may: Any) -> list[Figure]:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today = first_id_of(midnight)
    figures = []
    if may.has_perm("orders.view_order"):
        figures += _order_figures(today)
    if may.has_perm("payments.view_payment"):
        figures.append(_revenue(today))
    if may.has_perm("orders.view_saga"):
        figures += _saga_figures()
    if may.has_perm("payments.view_webhookinbox"):
        figures.append(
            _dead_letters(
                "Webhooks to decide",
                WebhookInbox.objects.filter(state__in=DEAD_EVENTS, resolved_at__isnull=True),
                "admin:payments_webhookinbox_changelist",
            )
        )
    if may.has_perm("payments.view_discrepancy"):
        found = Discrepancy.objects.filter(state=Discrepancy.State.OPEN).count()
        url = reverse("admin:payments_discrepancy_changelist")
        figures.append(
            Figure("Discrepancies", f"{found:,}", f"{url}?state__exact=open", alarm=found > 0)
        )
    if may.has_perm("notifications.view_notification"):
        figures.append(
            _dead_letters(
                "Dead letters",
                Notification.objects.filter(
                    state=Notification.State.DEAD, resolved_at__isnull=True
                ),
                "admin:notifications_notification_changelist",
            )
        )
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


def _saga_figures() -> list[Figure]:
    waiting = in_review().order_by().count()
    due = Saga.objects.filter(
        state__in=[Saga.State.FORWARD, Saga.State.UNDOING], due_at__lte=Now()
    ).count()
    queue = reverse("admin:orders_saga_changelist")
    return [
        Figure("In review", f"{waiting:,}", queue, alarm=waiting > 0),
        Figure("Sagas due", f"{due:,}", f"{queue}?state=due", note="waiting for a worker"),
    ]


def _dead_letters(name: str, rows: QuerySet, url: str) -> Figure:
    found = rows.count()
    return Figure(name, f"{found:,}", f"{reverse(url)}?dead=open", alarm=found > 0)


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
