"""The dashboard: the first page of the back office.

Today's figures are read along the primary keys. The ids of orders and payments are UUIDv7: they
begin with the millisecond in which they were made, so "since midnight" is a range of ids. It costs
as much as one day's rows, whether there are five million earlier orders or none. (The ids come from
the web workers' clocks, which is good enough for a figure to look at. Decisions in the code use the
database's clock.)

Everything else is a count over a small part of a table or a list of a few rows. People see the
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

from apps.backoffice import review_cases
from apps.backoffice.formatting import amount
from apps.backoffice.review_cases import CaseType, case_types, queries
from apps.backoffice.review_cases.rows import Row, rows_of
from apps.inventory.models import StockItem
from apps.inventory.policy import Policy
from apps.orders.models import Order, Saga
from apps.payments import database_identity
from apps.payments.models import Payment

LOW_STOCK = 5  # units for sale
LATEST_SHOWN, LOW_SHOWN = 8, 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name and the URL it links to; `alarm`: staff should look at it."""

    name: str
    value: str
    url: str
    note: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What the page shows; None for a part that the person may not see."""

    readonly: str  # why nothing may be changed at the gateway
    figures: Sequence[Figure]
    latest: Sequence[Order] | None
    waiting: Sequence[Row]
    review_cases_url: str
    low: Sequence[StockItem] | None
    sold_out: int
    back_ordered: int


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    user: Any = request.user
    sees_stock = user.has_perm("inventory.view_stockitem")
    types = case_types.visible_to(user)
    context["dashboard"] = Dashboard(
        readonly=database_identity.why_readonly(),
        figures=_figures(user, types),
        latest=list(Order.objects.select_related("saga")[:LATEST_SHOWN])
        if user.has_perm("orders.view_order")
        else None,
        waiting=rows_of(queries.oldest(types, count=LATEST_SHOWN)),
        review_cases_url=review_cases.list_url(),
        low=_low_stock() if sees_stock else None,
        sold_out=_gone(Policy.DENY) if sees_stock else 0,
        back_ordered=_gone(Policy.CONTINUE) if sees_stock else 0,
    )
    return context


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond (RFC 9562: 48 bits of milliseconds in front)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _figures(user: Any, types: Sequence[CaseType]) -> list[Figure]:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today = first_id_of(midnight)
    figures = []
    if user.has_perm("orders.view_order"):
        figures += _order_figures(today)
    if user.has_perm("payments.view_payment"):
        figures.append(_revenue(today))
    if types:
        figures.append(_waiting(types))
    if user.has_perm("orders.view_saga"):
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


def _waiting(types: Sequence[CaseType]) -> Figure:
    counted = queries.counts(types)
    total = sum(counted.values())
    parts = [f"{each.title.lower()} {counted[each.name]:,}" for each in types if counted[each.name]]
    return Figure(
        "Needs a person",
        f"{total:,}",
        review_cases.list_url(),
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


def _gone(policy: Policy) -> int:
    """How many stock items of what is on sale, with this policy, have no unit left."""
    return _on_sale().filter(on_hand__lte=F("reserved"), variant__inventory_policy=policy).count()


def _low_stock() -> list[StockItem]:
    """Stock items of what is on sale with few units left, the fewest first."""
    return list(
        _on_sale()
        .filter(on_hand__gt=F("reserved"), on_hand__lte=F("reserved") + LOW_STOCK)
        .exclude(variant__inventory_policy=Policy.UNTRACKED)
        .annotate(for_sale=F("on_hand") - F("reserved"))
        .select_related("variant__product", "warehouse")
        .order_by("for_sale", "variant__product__name", "id")[:LOW_SHOWN]
    )
