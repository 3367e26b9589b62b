"""Redeeming promos: the last use of a code goes to one shopper.

    decide      `select_for_update()` on the promos, ascending id; which orders may redeem
    record      F-expression UPDATE of `used`, and one row per redemption
    claim       count the redemptions of paid orders against `customer_limit`
    release     undo the redemptions of cancelled orders: F-expression UPDATE of `used`

This module is the only writer of `promos_redemption` and of `Promo.used`. `decide` and `record` run
in one transaction, that of the intake. The row lock between them prevents two shoppers from getting
the last use; the CHECK `used <= total_limit` would refuse the second one without it.

`customer_limit` counts paid orders. An unpaid order uses nothing up, because a stranger can order
under any e-mail and must not use up its owner's code. Only a signed-in customer's own unpaid orders
count as well. So two guest orders of one mailbox may both be accepted; `claim` gives the use to the
one that is paid first, and the other is cancelled (ADR 34).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F

from apps.core import sql
from apps.promos import uses
from apps.promos.errors import PromoExhausted, PromoUsed
from apps.promos.models import Promo
from apps.promos.pricing import AppliedPromo
from apps.promos.uses import Use

INSERT = """
    INSERT INTO promos_redemption (promo_id, order_id, customer_key, user_id, discount_amount, live)
    SELECT *, true FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[])
"""
# Gives each redemption of a paid order a `use_number`: the lowest one that is free for its
# customer, up to the promo's limit. When two workers choose the same number for two orders, the
# UNIQUE index refuses the second; its batch is then written again one by one, and sees that the
# number is taken.
CLAIM = """
    WITH mine AS (
        SELECT r.id, r.order_id, r.promo_id, r.customer_key, p.customer_limit,
               row_number() OVER customer AS place, count(*) OVER customer AS claimed
        FROM promos_redemption r JOIN promos_promo p ON p.id = r.promo_id
        WHERE r.order_id = ANY(%s::uuid[]) AND r.live AND r.use_number IS NULL
        WINDOW customer AS (PARTITION BY r.promo_id, r.customer_key ORDER BY r.order_id
                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ), taken AS (
        SELECT r.promo_id, r.customer_key, r.use_number
        FROM promos_redemption r
        JOIN (SELECT DISTINCT promo_id, customer_key FROM mine) m USING (promo_id, customer_key)
        WHERE r.live AND r.use_number IS NOT NULL
    ), free AS (
        SELECT m.promo_id, m.customer_key, n AS use_number,
               row_number() OVER (PARTITION BY m.promo_id, m.customer_key ORDER BY n) AS place
        FROM (SELECT DISTINCT promo_id, customer_key, customer_limit, claimed FROM mine) m
        CROSS JOIN LATERAL generate_series(1, least(m.customer_limit, m.claimed + (
            SELECT count(*) FROM taken t
            WHERE t.promo_id = m.promo_id AND t.customer_key = m.customer_key))) AS n
        WHERE NOT EXISTS (
            SELECT FROM taken t WHERE t.promo_id = m.promo_id
              AND t.customer_key = m.customer_key AND t.use_number = n)
    ), used AS (
        UPDATE promos_redemption r SET use_number = free.use_number
        FROM mine JOIN free USING (promo_id, customer_key, place)
        WHERE r.id = mine.id AND r.live AND r.use_number IS NULL
        RETURNING r.id
    )
    SELECT DISTINCT order_id FROM mine WHERE id NOT IN (SELECT id FROM used)
"""


RELEASE = """
    UPDATE promos_redemption SET live = false WHERE order_id = ANY(%s::uuid[]) AND live
    RETURNING promo_id
"""


@dataclass(frozen=True, slots=True)
class RedeemRequest:
    """The promos that one order uses.

    `customer_key` is the mailbox of the order's e-mail, `user_id` the signed-in account.
    """

    order_id: UUID
    customer_key: str
    promos: tuple[AppliedPromo, ...]
    user_id: int | None = None


def decide(requests: Sequence[RedeemRequest]) -> list[PromoExhausted | None]:
    """Which orders may redeem all their promos: None for yes, else the refusal.

    First come, first served. Locks the promos until the transaction ends.
    """
    wanted = {applied.promo_id for request in requests for applied in request.promos}
    if not wanted:
        return [None] * len(requests)
    # Without this lock two batches would both see the last use as free.
    promos = {
        promo.pk: promo
        for promo in Promo.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    }
    limited = [pk for pk, promo in promos.items() if promo.customer_limit is not None]
    customers = [(request.customer_key, request.user_id) for request in requests]
    live = uses.live(limited, customers) if limited else {}
    used = Counter({pk: promo.used for pk, promo in promos.items()})
    answers: list[PromoExhausted | None] = []
    for request in requests:
        refused = _refusal(request, promos, used, live)
        if refused is None:
            for applied in request.promos:
                used[applied.promo_id] += 1
                own = Use(request.customer_key, request.user_id, paid=False)
                live.setdefault(applied.promo_id, []).append(own)
        answers.append(refused)
    return answers


def _refusal(
    request: RedeemRequest,
    promos: Mapping[int, Promo],
    used: Mapping[int, int],
    live: Mapping[int, list[Use]],
) -> PromoExhausted | None:
    """The first of the order's promos that has no use left, as its error."""
    for applied in request.promos:
        promo = promos.get(applied.promo_id)
        if promo is None:  # deleted since the quote
            return PromoExhausted(applied.code)
        if promo.total_limit is not None and used[promo.pk] >= promo.total_limit:
            return PromoExhausted(applied.code)
        if promo.customer_limit is not None:
            key, user_id = request.customer_key, request.user_id
            own = sum(use.counts_for(key, user_id) for use in live.get(promo.pk, ()))
            if own >= promo.customer_limit:
                return PromoUsed(applied.code)
    return None


def record(requests: Iterable[RedeemRequest]) -> None:
    """Count and write the redemptions of accepted orders; needs the locks of `decide`."""
    rows = [
        (
            applied.promo_id,
            request.order_id,
            request.customer_key,
            request.user_id,
            applied.discount_amount,
        )
        for request in requests
        for applied in request.promos
    ]
    if not rows:
        return
    for promo_id, count in sorted(Counter(promo_id for promo_id, *_ in rows).items()):
        Promo.objects.filter(pk=promo_id).update(used=F("used") + count)
    sql.run(INSERT, [list(column) for column in zip(*rows, strict=True)])


def claim(order_ids: Iterable[UUID]) -> set[UUID]:
    """Count paid orders against `customer_limit`; returns the orders whose customer has none left.

    Runs in the transaction that writes the payment. A second call changes nothing; a claimed use
    belongs to its order until `release`.
    """
    return {order_id for (order_id,) in sql.fetch(CLAIM, [list(order_ids)])}


def release(order_ids: Iterable[UUID]) -> None:
    """Undo the redemptions of cancelled orders; a second call changes nothing."""
    counts = Counter(promo_id for (promo_id,) in sql.fetch(RELEASE, [list(order_ids)]))
    for promo_id, count in sorted(counts.items()):
        Promo.objects.filter(pk=promo_id, used__gte=count).update(used=F("used") - count)
