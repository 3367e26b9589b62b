"""How much of the stock may be held by orders that are not paid yet: by address, by customer.

What it is for, and how exact it is: admission.py.
"""

from collections import Counter
from collections.abc import Sequence

from django.conf import settings

from apps.core import sql
from apps.inventory import stock
from apps.orders.errors import NotAccepted, TooManyUnpaid
from apps.orders.intake.customer_names import name_of
from apps.orders.intake.pending import Pending

UNPAID = "('PENDING', 'REQUIRES_ACTION', 'PAYMENT_FAILED')"
# In one statement with the numbers, because each round trip is a part of every order's time.
NUMBERS = """
    SELECT 'number', '', '', nextval('orders_number') FROM generate_series(1, %(count)s::int)
"""
# Looked up one by one (LATERAL, OFFSET 0): a plan that PostgreSQL makes while the tables are small
# is kept when they have grown, and would read the whole tables for every batch.
HELD = f"""
    {NUMBERS}
    UNION ALL
    SELECT 'address', n.client, line.sku, sum(line.quantity)::bigint
    FROM unnest(%(clients)s::text[]) AS n(client)
    CROSS JOIN LATERAL (
        SELECT o.id FROM orders_order o WHERE o.client = n.client AND o.client <> '' OFFSET 0
    ) unpaid
    CROSS JOIN LATERAL (
        SELECT l.sku, l.quantity FROM orders_orderline l
        WHERE l.order_id = unpaid.id AND l.sku = ANY(%(skus)s::text[]) OFFSET 0
    ) line
    GROUP BY n.client, line.sku
    UNION ALL
    SELECT 'mailbox', n.mailbox, '', unpaid.orders
    FROM unnest(%(mailboxes)s::text[]) AS n(mailbox)
    CROSS JOIN LATERAL (
        SELECT count(*) AS orders FROM orders_order o
        WHERE o.mailbox = n.mailbox AND o.user_id IS NULL
          AND o.placed_at > now() - %(window)s AND o.status IN {UNPAID}
    ) unpaid WHERE unpaid.orders > 0
    UNION ALL
    SELECT 'account', n.id::text, '', unpaid.orders
    FROM unnest(%(users)s::bigint[]) AS n(id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS orders FROM orders_order o
        WHERE o.user_id = n.id AND o.placed_at > now() - %(window)s AND o.status IN {UNPAID}
    ) unpaid WHERE unpaid.orders > 0
"""  # noqa: S608 - of constants only


class Unpaid:
    """What is held and unpaid before the batch, and in it; and the numbers of its orders."""

    def __init__(self, batch: Sequence[Pending]) -> None:
        self.numbers: list[int] = []
        self._batch = batch
        self._units: Counter[tuple[str, str]] = Counter()  # by address and SKU
        self._orders: Counter[str] = Counter()  # by customer (name_of)
        self._levels: dict[str, stock.Level] = {}  # by SKU; read when it is needed
        for kind, who, sku, amount in self._rows():
            if kind == "number":
                self.numbers.append(amount)
            elif kind == "address":
                self._units[who, sku] = amount
            else:
                self._orders[f"{kind}:{who}"] = amount

    def refusal(self, pending: Pending) -> NotAccepted | None:
        """Why this order would hold too much; None when it would not."""
        if not settings.RATE_LIMITS:
            return None
        if self._orders[name_of(pending)] >= settings.UNPAID_ORDERS_OF_CUSTOMER:
            return TooManyUnpaid(
                "Several of your orders wait to be paid. Pay or cancel one, or give it a few"
                " minutes."
            )
        client = pending.request.client
        for line in pending.priced.lines:
            before = self._units[client, line.sku]
            if not client or not before:
                continue
            units = before + line.quantity
            if units <= settings.UNPAID_UNITS_OF_ADDRESS:
                continue
            level = self._level(line.sku)
            # Of what sells on, no address can hold so much that others go short.
            if not level.sells_on and units > settings.UNPAID_SHARE_OF_ADDRESS * level.on_hand:
                return TooManyUnpaid(
                    f"So many of {line.name} are held for your network, and not paid yet, that the"
                    " others would go short. Try again in half a minute."
                )
        return None

    def add(self, pending: Pending) -> None:
        """Count an order that is admitted."""
        self._orders[name_of(pending)] += 1
        for line in pending.priced.lines:
            self._units[pending.request.client, line.sku] += line.quantity

    def _level(self, sku: str) -> stock.Level:
        """Read only when an address is above the plain number."""
        if not self._levels:
            self._levels = stock.levels(
                {line.sku for pending in self._batch for line in pending.priced.lines}
            )
        return self._levels.get(sku, stock.Level())

    def _rows(self) -> list[tuple[str, str, str, int]]:
        """(kind, who, SKU, amount), of HELD."""
        batch = self._batch
        if not settings.RATE_LIMITS:
            return sql.fetch(NUMBERS, {"count": len(batch)})
        return sql.fetch(
            HELD,
            {
                "count": len(batch),
                "clients": list({p.request.client for p in batch} - {""}),
                "skus": list({line.sku for p in batch for line in p.priced.lines}),
                "mailboxes": list({p.mailbox for p in batch if p.request.user_id is None}),
                "users": list({p.request.user_id for p in batch} - {None}),
                "window": 2 * settings.HOLD_TIME_CAP,  # no hold lives that long
            },
        )
