"""How many units of a limited product one customer may have, in all their orders together."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

from django.conf import settings

from apps.core import sql
from apps.orders.errors import NotAccepted, NotQuotable
from apps.orders.intake.customer_names import name_of, names_of
from apps.orders.intake.pending import Pending
from apps.orders.intake.quote import QuoteLine, QuoteProblem
from apps.orders.intake.unpaid_limits import UNPAID

CUSTOMER_LIMITED = "customer_limit"  # the code of a problem
# Units of a product in a customer's live orders. For a guest: those of the mailbox. For a signed-in
# customer: those of the account, and what is paid of the mailbox, because an unpaid guest order
# under this mailbox may be a stranger's.
BOUGHT = f"""
    SELECT n.place, coalesce(sum(l.quantity), 0)::bigint
    FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[])
        AS n(place, mailbox, user_id, product_id, since)
    JOIN orders_order o
      ON (o.mailbox = n.mailbox OR o.user_id = n.user_id)
     AND (n.user_id IS NULL OR o.user_id = n.user_id OR o.status NOT IN {UNPAID})
     AND o.status <> 'CANCELLED' AND o.placed_at >= CASE
        WHEN n.since > 0 THEN to_timestamp(n.since) ELSE now() - %s END
    JOIN orders_orderline l ON l.order_id = o.id
    JOIN catalog_variant v ON v.sku = l.sku AND v.product_id = n.product_id
    GROUP BY n.place
"""  # noqa: S608 - of constants only
LOCK = "SELECT pg_advisory_xact_lock(k) FROM unnest(%s::bigint[]) AS k ORDER BY k"


def lock_customers(batch: Sequence[Pending]) -> None:
    """Keep other orders of the same customers for limited products waiting until the commit.

    Without these locks two processes each see one unit of two sold. Taken before promos and stock,
    in ascending order, and only where something in the batch is limited by customer.
    """
    names = {
        name
        for pending in batch
        if any(line.limits.customer is not None for line in pending.priced.lines)
        for name in names_of(pending)
    }
    if names:
        sql.run(LOCK, [sorted(_lock_key(name) for name in names)])


class Bought:
    """Units of limited products by customer: before the batch, and in it."""

    def __init__(self, batch: Sequence[Pending]) -> None:
        self._before: dict[tuple[UUID, int], int] = {}  # by order id and product id
        self._in_batch: Counter[tuple[str, int]] = Counter()  # by customer and product id
        asked = [
            (pending, line) for pending in batch for line in _limited_products(pending).values()
        ]
        self._limited = bool(asked)
        if not asked:
            return
        rows = sql.fetch(
            BOUGHT,
            [
                list(range(len(asked))),
                [pending.mailbox for pending, _ in asked],
                [pending.request.user_id for pending, _ in asked],
                [line.product_id for _, line in asked],
                [line.limits.since for _, line in asked],
                settings.CUSTOMER_WINDOW,
            ],
        )
        for place, units in rows:
            pending, line = asked[place]
            self._before[pending.order_id, line.product_id] = units

    def refusal(self, pending: Pending) -> NotAccepted | None:
        """Why this order is more than its customer may have; None when it is not."""
        if not self._limited:
            return None
        problems = []
        for product_id, line in _limited_products(pending).items():
            most = line.limits.customer or 0
            had = (
                self._before.get((pending.order_id, product_id), 0)
                + self._in_batch[name_of(pending), product_id]
            )
            if had + _units(pending, product_id) > most:
                left = max(0, most - had)
                already = "You have ordered as many already." if not left else f"{left} to go."
                problems.append(
                    QuoteProblem(
                        CUSTOMER_LIMITED,
                        f"At most {most} of {line.name} for each customer. {already}",
                        sku=line.sku,
                        available=left,
                    )
                )
        return NotQuotable(tuple(problems)) if problems else None

    def add(self, pending: Pending) -> None:
        """Count an order that is admitted."""
        if not self._limited:
            return
        for product_id in _limited_products(pending):
            for name in names_of(pending):
                self._in_batch[name, product_id] += _units(pending, product_id)


def _limited_products(pending: Pending) -> dict[int, QuoteLine]:
    """The first line of each product that is limited by customer, by product id."""
    return {
        line.product_id: line
        for line in reversed(pending.priced.lines)
        if line.limits.customer is not None
    }


def _units(pending: Pending, product_id: int) -> int:
    lines = pending.priced.lines
    return sum(line.quantity for line in lines if line.product_id == product_id)


def _lock_key(name: str) -> int:
    """64 bits, signed, as PostgreSQL's advisory locks take them."""
    return int.from_bytes(sha256(b"customer:" + name.encode()).digest()[:8], signed=True)
