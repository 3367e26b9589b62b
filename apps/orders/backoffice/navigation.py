"""The admin's side bar: the shop's rooms in the order of a working day.

Each entry names the permission that opens its page; who lacks it does not see the entry.
"""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.orders.backoffice.day import in_review

Entry = tuple[str, str, str]  # title, icon, the model as app.model

ROOMS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("Orders", (
        ("Orders", "receipt_long", "orders.order"),
        ("Review queue", "gavel", "orders.saga"),
        ("Returns", "assignment_return", "orders.return"),
        ("Parcels", "local_shipping", "shipping.shipment"),
    )),
    ("Catalogue", (
        ("Products", "coffee", "catalog.product"),
        ("Categories", "account_tree", "catalog.category"),
        ("Promo codes", "sell", "promos.promo"),
        ("Flash sales", "bolt", "sales.flashsale"),
    )),
    ("Stock", (
        ("Stock", "inventory_2", "inventory.stockitem"),
        ("Ledger", "history", "inventory.stockmovement"),
        ("Holds", "lock_clock", "inventory.hold"),
        ("Warehouses", "warehouse", "inventory.warehouse"),
    )),
    ("Money and mail", (
        ("Payments", "payments", "payments.payment"),
        ("Refunds", "currency_exchange", "payments.refund"),
        ("Discrepancies", "balance", "payments.discrepancy"),
        ("Webhook inbox", "webhook", "payments.webhookinbox"),
        ("Mail", "mail", "notifications.notification"),
    )),
    ("People", (
        ("Customers", "group", "customers.user"),
        ("Roles", "badge", "auth.group"),
    )),
    ("Settings", (
        ("Shipping zones", "public", "shipping.zone"),
        ("Shipping methods", "conveyor_belt", "shipping.method"),
        ("Tax rates", "percent", "taxes.taxrate"),
    )),
)  # fmt: skip


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's SIDEBAR.navigation."""
    first = {"title": "Today", "icon": "dashboard", "link": reverse("admin:index")}
    rooms: list[dict[str, Any]] = [{"items": [first]}]
    for name, entries in ROOMS:
        items = [_item(*entry) for entry in entries if _may_see(request, entry[2])]
        if items:
            rooms.append({"title": name, "separator": True, "items": items})
    return rooms


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    app, name = model.split(".")
    item = {"title": title, "icon": icon, "link": reverse(f"admin:{app}_{name}_changelist")}
    if model == "orders.saga":
        waiting = in_review().order_by()[:100].count()
        if waiting:  # an empty badge would be drawn as one
            item["badge"] = str(waiting) if waiting < 100 else "99+"
    return item


def _may_see(request: HttpRequest, model: str) -> bool:
    user: Any = request.user
    app, name = model.split(".")
    if model == "auth.group":  # RoleAdmin is for superusers
        return bool(user.is_superuser)
    return any(user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change"))
