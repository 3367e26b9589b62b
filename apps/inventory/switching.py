"""A variant's inventory policy changes: what has to hold first, and what it is sold from then.

`StockItem.policy` itself follows the variant by triggers (migration 0002), in the transaction of
the change and under the stock item's lock: an order that is being reserved sees the policy before
or after, never something between.

    check          refuses what the stock does not allow, in words; the CHECK is behind it
    prepare        the same, and begins a count where one is needed; before the variant is saved
    keep_sellable  a variant that sells on has a stock item; after the variant is saved
"""

from collections.abc import Mapping

from django.db.models import F

from apps.inventory.models import StockItem, StockMovement
from apps.inventory.policy import Policy
from apps.inventory.stock import default_warehouse

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


def check(policies: Mapping[int, str]) -> None:
    """Raise UnitsOwed where the stock does not allow the new policy of a variant (by its id).

    Inside a transaction: the stock items stay locked to its end, so that the answer stays true.
    """
    _checked(policies)


def prepare(policies: Mapping[int, str], *, actor: str) -> set[int]:
    """Ready the stock of variants (by id) for their new policies. Raises as `check`.

    A variant that was not counted has sold units that nobody booked in. Where that leaves less than
    orders hold, its count begins anew, with a movement: none is for sale until some are received.
    Returns the ids of those variants: an earlier count says nothing about them any more.
    """
    begun = set()
    for item in _checked(policies):
        if item.policy != Policy.UNTRACKED or item.on_hand >= item.reserved:
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


def _checked(policies: Mapping[int, str]) -> list[StockItem]:
    """The stock items whose policy changes, locked in ascending id. Raises UnitsOwed."""
    if not policies:
        return []
    locked = (
        StockItem.objects.filter(variant__in=policies)
        .select_for_update(of=("self",), no_key=True)
        .select_related("variant", "warehouse")
        .order_by("pk")
    )
    items = [item for item in locked if item.policy != policies[item.variant_id]]
    for item in items:
        # What was not counted may begin again; what was counted is owed.
        counted = item.policy != Policy.UNTRACKED
        if counted and policies[item.variant_id] == Policy.DENY and item.on_hand < item.reserved:
            raise UnitsOwed(item)
    return items
