"""The side bar of the back office: its pages, grouped by subject.

People see the entries whose page they may open.
"""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice import review_cases
from apps.backoffice.review_cases import case_types, queries

MAX_BADGE = 99

Entry = tuple[str, str, str]  # title, icon, the model as app.model

SECTIONS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("Orders", (
        ("Orders", "receipt_long", "orders.order"),
        ("Review queue", "gavel", "orders.saga"),
        ("Returns", "assignment_return", "orders.return"),
        ("Parcels", "local_shipping", "shipping.shipment"),
    )),
    ("Catalog", (
        ("Products", "coffee", "catalog.product"),
        ("Categories", "account_tree", "catalog.category"),
        ("Synonyms", "manage_search", "catalog.synonym"),
        ("Promo codes", "sell", "promos.promo"),
        ("Flash sales", "bolt", "flash_sales.flashsale"),
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
    ("Stripe's copies", (
        ("Payment intents", "credit_card", "djstripe.paymentintent"),
        ("Charges", "point_of_sale", "djstripe.charge"),
        ("Balance transactions", "account_balance", "djstripe.balancetransaction"),
        ("Refunds", "undo", "djstripe.refund"),
        ("Events", "event_note", "djstripe.event"),
        ("Webhook log", "list_alt", "djstripe.webhookeventtrigger"),
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
    sections: list[dict[str, Any]] = [{"items": [today, *_review_cases(request)]}]
    for name, entries in SECTIONS:
        items = [_item(*entry) for entry in entries if _may_see(request, entry[2])]
        if items:
            sections.append({"title": name, "separator": True, "items": items})
    return sections


def _review_cases(request: HttpRequest) -> list[dict[str, Any]]:
    types = case_types.visible_to(request.user)
    if not types:
        return []
    item = {"title": "Needs a person", "icon": "inbox", "link": review_cases.list_url()}
    waiting = sum(queries.counts(types, most=MAX_BADGE + 1).values())
    if waiting:  # an empty text would be shown as an empty badge
        item["badge"] = str(waiting) if waiting <= MAX_BADGE else f"{MAX_BADGE}+"
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
