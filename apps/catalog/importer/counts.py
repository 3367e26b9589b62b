"""What a file's `Variant Inventory Qty` does to the stock: see the package.

A count below zero is a debt: units that are sold and not there. A variant that goes on selling has
it here as well; the others begin at 0. The number of a variant that is not counted is booked too:
it refuses no order, and is a beginning for whoever counts later.
"""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef

from apps.catalog.models import Variant
from apps.catalog.shopify_csv import SheetVariant
from apps.inventory import stock
from apps.inventory.models import StockItem, StockMovement
from apps.inventory.policy import Policy

ACTOR = "import_catalog"


class CountTooLow(Exception):
    """The count in the file is lower than the units that orders hold."""

    def __init__(self, line: int, quantity: int, reason: str) -> None:
        super().__init__(f"a stock of {quantity} is not possible: {reason}")
        self.line = line


def apply_count(sheet: SheetVariant) -> str:
    """Change the stock by the difference to the last count; what changed, for people, or ""."""
    if sheet.quantity is None:
        return ""
    variant = Variant.objects.select_for_update().get(sku=sheet.sku)
    counted = (
        sheet.quantity if sheet.inventory_policy == Policy.CONTINUE else max(sheet.quantity, 0)
    )
    if variant.imported_quantity == counted:
        return ""
    reason = f"counted {sheet.quantity} in an imported file"
    on_hand = variant.imported_quantity
    if on_hand is None:
        on_hand = _on_hand_by_ledger(variant)
    if on_hand is None:
        stock.open_count(sku=sheet.sku, counted=counted, reason=reason, actor=ACTOR)
    elif counted != on_hand:
        change = counted - on_hand
        try:
            stock.adjust(sku=sheet.sku, change=change, reason=reason, actor=ACTOR)
        except stock.WouldGoBelowReserved as error:
            raise CountTooLow(sheet.line, sheet.quantity, str(error)) from error
    # By update(), which sends no signal: no page shows what a file counted.
    Variant.objects.filter(pk=variant.pk).update(imported_quantity=counted)
    return f"{sheet.sku}: stock {counted - (on_hand or 0):+d}"


def _on_hand_by_ledger(variant: Variant) -> int | None:
    """The count of the default warehouse; None where nothing was ever counted or sold there."""
    of_item = StockMovement.objects.filter(stock_item=OuterRef("pk"))
    rows = StockItem.objects.filter(variant=variant, warehouse=stock.default_warehouse())
    return rows.filter(Exists(of_item)).values_list("on_hand", flat=True).first()


def counted_first(sheets: Sequence[SheetVariant]) -> list[SheetVariant]:
    """Those whose count has to come before their new policy, because it may pay what is owed."""
    skus = [sheet.sku for sheet in sheets if sheet.inventory_policy == Policy.DENY]
    owing = Variant.objects.filter(sku__in=skus, inventory_policy=Policy.CONTINUE)
    known = set(owing.values_list("sku", flat=True))
    return [sheet for sheet in sheets if sheet.sku in known]
