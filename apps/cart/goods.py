"""What some SKUs cost and how many of them can be bought, in one statement.

A price is the catalog's and a count of units the inventory's, and so is the SQL. A cart shows both
at each look, and two round trips to PostgreSQL cost twice what one does. Never from a cache.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from apps.catalog import prices
from apps.catalog.pictures import PLACEHOLDER
from apps.catalog.prices import Offer
from apps.core import sql
from apps.inventory import stock
from apps.inventory.stock import Level

GOODS = f"""
    SELECT l.on_hand, l.reserved, l.policy, o.*
    FROM ({prices.OFFERS}) AS o
    JOIN ({stock.LEVELS}) AS l (sku, on_hand, reserved, policy) USING (sku)
"""  # noqa: S608 - of constants only


@dataclass(frozen=True, slots=True)
class Goods:
    """What was found of the SKUs `asked`; those that are not sold are in neither mapping."""

    asked: frozenset[str]
    offers: Mapping[str, Offer]
    levels: Mapping[str, Level]

    def cover(self, skus: Collection[str]) -> bool:
        """Whether all of these were asked for."""
        return self.asked.issuperset(skus)


def of(skus: Iterable[str]) -> Goods:
    """The goods of these SKUs now. Texts that are no SKU are not sold."""
    asked = frozenset(skus)
    offers: dict[str, Offer] = {}
    levels: dict[str, Level] = {}
    if possible := [sku for sku in asked if prices.may_exist(sku)]:
        # USING puts the SKU first, and leaves it in `o.*`.
        rows = sql.fetch_listed(GOODS, possible, {"placeholder": PLACEHOLDER})
        for on_hand, reserved, policy, sku, *rest in rows:
            offers[sku] = Offer(sku, *rest)
            levels[sku] = Level(on_hand, reserved, policy)
    return Goods(asked, offers, levels)
