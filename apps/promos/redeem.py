"""Redeeming: the last use of a code goes to one shopper.

    decide(...)   locks the promos, in ascending id, and says who may redeem
    record(...)   counts and writes the redemptions of those whose order was accepted
    give_back()   the undo, when an order is called off

`decide` and `record` run in one transaction, that of the intake: the row lock between them is what
keeps two shoppers from the last use, the CHECK `used <= total_limit` is the second line.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Count, F

from apps.promos.errors import PromoExhausted
from apps.promos.models import Promo, Redemption
from apps.promos.pricing import AppliedPromo
from storefront import prepared

INSERT = """
    INSERT INTO promos_redemption (promo_id, order_id, customer_key, discount_amount, live)
    SELECT *, true FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class RedeemRequest:
    """The promos that one order uses. `customer_key` is the order's e-mail in lower case."""

    order_id: UUID
    customer_key: str
    promos: tuple[AppliedPromo, ...]


def decide(requests: Sequence[RedeemRequest]) -> list[PromoExhausted | None]:
    """Who may redeem, first come first served; `None` is yes. Locks every promo named."""
    wanted = {applied.promo_id for request in requests for applied in request.promos}
    if not wanted:
        return [None] * len(requests)
    # Without this lock two batches both see the last use free.
    promos = {
        promo.pk: promo
        for promo in Promo.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    }
    limited = [pk for pk, promo in promos.items() if promo.customer_limit is not None]
    mine = Counter(_live_uses(limited, {r.customer_key for r in requests}) if limited else {})
    used = Counter({pk: promo.used for pk, promo in promos.items()})
    answers: list[PromoExhausted | None] = []
    for request in requests:
        refused = None
        for applied in request.promos:
            promo = promos.get(applied.promo_id)
            own = mine[applied.promo_id, request.customer_key]
            if (
                promo is None
                or (promo.total_limit is not None and used[promo.pk] >= promo.total_limit)
                or (promo.customer_limit is not None and own >= promo.customer_limit)
            ):
                refused = PromoExhausted(applied.code)
                break
        if refused is None:
            for applied in request.promos:
                used[applied.promo_id] += 1
                mine[applied.promo_id, request.customer_key] += 1
        answers.append(refused)
    return answers


def record(requests: Iterable[RedeemRequest]) -> None:
    """Count and write the redemptions of accepted orders, under the locks of `decide`."""
    rows = [
        (applied.promo_id, request.order_id, request.customer_key, applied.discount_amount)
        for request in requests
        for applied in request.promos
    ]
    if not rows:
        return
    for promo_id, uses in sorted(Counter(promo_id for promo_id, *_ in rows).items()):
        Promo.objects.filter(pk=promo_id).update(used=F("used") + uses)
    prepared.run(INSERT, [list(column) for column in zip(*rows, strict=True)])


def give_back(order_ids: Iterable[UUID]) -> None:
    """Undo the redemptions of orders that were called off; a second call changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE promos_redemption SET live = false WHERE order_id = ANY(%s) AND live"
            " RETURNING promo_id",
            [list(order_ids)],
        )
        uses = Counter(promo_id for (promo_id,) in cursor.fetchall())
    for promo_id, count in sorted(uses.items()):
        Promo.objects.filter(pk=promo_id, used__gte=count).update(used=F("used") - count)


def _live_uses(promo_ids: list[int], customers: set[str]) -> dict[tuple[int, str], int]:
    counted = (
        Redemption.objects.filter(promo__in=promo_ids, customer_key__in=customers, live=True)
        .values_list("promo_id", "customer_key")
        .annotate(uses=Count("pk"))
    )
    return {(promo_id, customer): uses for promo_id, customer, uses in counted}
