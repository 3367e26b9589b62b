"""The admin's side bar: the shop's rooms in the order of a working day.

Each entry names the permission that opens its page; who lacks it does not see the entry.
"""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.desk import kinds, page

BADGE_MOST = 99

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
    today = {"title": "Today", "icon": "dashboard", "link": reverse("admin:index")}
    rooms: list[dict[str, Any]] = [{"items": [today, *_desk(request)]}]
    for name, entries in ROOMS:
        items = [_item(*entry) for entry in entries if _may_see(request, entry[2])]
        if items:
            rooms.append({"title": name, "separator": True, "items": items})
    return rooms


def _desk(request: HttpRequest) -> list[dict[str, Any]]:
    seen = kinds.seen_by(request.user)
    if not seen:
        return []
    item = {"title": "Needs a person", "icon": "inbox", "link": page.address()}
    waiting = sum(kinds.counts(seen, most=BADGE_MOST + 1).values())
    if waiting:  # an empty badge would be drawn as one
        item["badge"] = str(waiting) if waiting <= BADGE_MOST else f"{BADGE_MOST}+"
    return [item]


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    app, name = model.split(".")
    return {"title": title, "icon": icon, "link": reverse(f"admin:{app}_{name}_changelist")}


def _may_see(request: HttpRequest, model: str) -> bool:
    user: Any = request.user
    app, name = model.split(".")
    if model == "auth.group":  # RoleAdmin is for superusers
        return bool(user.is_superuser)
    return any(user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change"))
