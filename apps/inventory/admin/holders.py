"""Who holds units: the order's mailbox, its network address, and whether it is paid."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.backoffice.formatting import label, link
from apps.backoffice.order_links import orders_url, with_holder
from apps.inventory.models import Hold, StockItem

MOST_HOLDERS = 10  # shown of a stock item


class ShowsHolder:
    """For an admin or an inline over holds: the columns that say who holds.

    The rows come from `with_holder`.
    """

    @display(description="mailbox")
    def mailbox(self, hold: Any) -> SafeString | str:
        return (
            link(orders_url(hold.order_mailbox), hold.order_mailbox) if hold.order_mailbox else "–"
        )

    @display(description="address")
    def address(self, hold: Any) -> SafeString | str:
        """A digest of the network address: equal for two orders from one address."""
        return address_link(hold.order_client) if hold.order_client else "–"

    @display(description="payment")
    def payment(self, hold: Any) -> SafeString:
        paid = is_paid(hold.order_status)
        return label("paid" if paid else "not paid", title=hold.order_status or "")


def is_paid(order_status: str | None) -> bool:
    """Whether the payment of the order that holds is authorized."""
    return order_status not in (None, "PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "CANCELLED")


def address_link(client: str) -> SafeString:
    """The first 8 characters of an address's digest; links to the orders from it."""
    return link(orders_url(client), client[:8])


def biggest_holders(item: StockItem) -> SafeString | str:
    """Who holds most of it: network addresses and mailboxes, those with most unpaid units first."""
    held = with_holder(Hold.objects.filter(stock_item=item, state=Hold.State.ACTIVE))
    sums: dict[tuple[str, str], _Held] = defaultdict(_Held)
    for hold in held.values_list("order_client", "order_mailbox", "order_status", "quantity"):
        client, mailbox, status, quantity = hold
        for kind, who in (("address", client), ("mailbox", mailbox)):
            if who:
                sums[kind, who].add(quantity, paid=is_paid(status))
    most = sorted(sums.items(), key=lambda each: -each[1].unpaid)[:MOST_HOLDERS]
    if not most:
        return "nobody"
    return format_html_join(
        SafeString("<br>"),
        "{} {}: {} units in {} orders, {} of them not paid",
        (
            (
                kind,
                address_link(who) if kind == "address" else link(orders_url(who), who),
                total.units,
                total.orders,
                total.unpaid,
            )
            for (kind, who), total in most
        ),
    )


@dataclass(slots=True)
class _Held:
    """Sums over the active holds of one holder."""

    units: int = 0
    unpaid: int = 0
    orders: int = 0

    def add(self, units: int, *, paid: bool) -> None:
        self.units += units
        self.unpaid += 0 if paid else units
        self.orders += 1
