"""A variant's inventory policy changes: what has to hold first, and what it is sold from then.

`StockItem.sells_on` itself follows the variant by triggers (migration 0002), in the transaction of
the change and under the stock item's lock: an order that is being reserved sees the stock item
before or after, never something between.

    check          refuses what the stock does not allow, in words; the CHECK is behind it
    prepare        the same, and begins a count where one is needed; before the variant is saved
    keep_sellable  a variant that sells on has a stock item; after the variant is saved

`check` and `prepare` run in the transaction of the change, under the variants' row locks: else
their policy of now may be another one already.
"""

from collections.abc import Mapping

from django.db.models import F

from apps.inventory.models import StockItem, StockMovement
from apps.inventory.policy import Policy
from apps.inventory.stock import default_warehouse

Changes = Mapping[int, tuple[str, str]]  # by variant id: the policy of now, the new one
COUNT_BEGINS = "counted from here on: nothing but what orders hold"


class UnitsOwed(Exception):
    """More is sold or held than is there, so that the variant cannot be sold out by its count."""

    def __init__(self, item: StockItem) -> None:
        owed = item.reserved - item.on_hand
        super().__init__(
            f"{item.variant.sku} owes {owed} unit{'' if owed == 1 else 's'}"
            f" ({item.warehouse}: {item.on_hand} on hand, {item.reserved} held for orders)."
            " Receive them, correct the count or cancel orders first. To end its sale at once,"
            " switch it off."
        )
        self.sku, self.variant_id = item.variant.sku, item.variant_id


def check(changes: Changes) -> None:
    """Raise UnitsOwed where the stock does not allow the new policy of a variant.

    The stock items stay locked to the end of the transaction, so that the answer stays true.
    """
    _checked(changes)


def prepare(changes: Changes, *, actor: str) -> set[int]:
    """Ready the stock of variants for their new policies. Raises as `check`.

    A variant that was not counted has sold units whose arrival was not booked. Where that leaves
    less than orders hold, its count begins anew, with a movement: none is for sale until some are
    received.
    Returns the ids of those variants: an earlier count says nothing about them any more.
    """
    begun = set()
    for item in _checked(changes):
        if changes[item.variant_id][0] != Policy.UNTRACKED or item.on_hand >= item.reserved:
            continue
        change = item.reserved - item.on_hand
        StockItem.objects.filter(pk=item.pk).update(
            on_hand=F("on_hand") + change, version=F("version") + 1
        )
        StockMovement.objects.create(
            stock_item=item,
            kind=StockMovement.Kind.ADJUSTED,
            quantity=change,
            reason=COUNT_BEGINS,
            actor=actor,
        )
        begun.add(item.variant_id)
    return begun


def keep_sellable(variant_id: int, policy: str) -> None:
    """Give a variant that sells on a stock item if it has none: orders reserve from stock items."""
    if policy == Policy.DENY or StockItem.objects.filter(variant=variant_id).exists():
        return
    StockItem.objects.get_or_create(variant_id=variant_id, warehouse=default_warehouse())


def _checked(changes: Changes) -> list[StockItem]:
    """The stock items of these variants, locked in ascending id. Raises UnitsOwed."""
    if not changes:
        return []
    items = list(
        StockItem.objects.filter(variant__in=changes)
        .select_for_update(of=("self",), no_key=True)
        .select_related("variant", "warehouse")
        .order_by("pk")
    )
    for item in items:
        # What was not counted begins anew; what was counted is owed.
        owed = item.on_hand < item.reserved
        if owed and changes[item.variant_id] == (Policy.CONTINUE, Policy.DENY):
            raise UnitsOwed(item)
    return items
