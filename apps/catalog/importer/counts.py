"""What a file's `Variant Inventory Qty` does to the stock: see the package."""

from apps.catalog.models import Variant
from apps.catalog.shopify_csv import SheetVariant
from apps.inventory import stock
from apps.inventory.models import StockItem, StockMovement

ACTOR = "import_catalog"


class CountTooLow(Exception):
    """The count in the file is lower than the units that orders hold."""

    def __init__(self, line: int, quantity: int, reason: str) -> None:
        super().__init__(f"a stock of {quantity} is not possible: {reason}")
        self.line = line


def apply_count(sheet: SheetVariant) -> str:
    """Change the stock by the difference to the last count; what changed, for people, or "".

    A count below zero is a debt of the shop that wrote the file: here it is a stock of 0.
    """
    if sheet.quantity is None:
        return ""
    variant = Variant.objects.select_for_update().get(sku=sheet.sku)
    if variant.imported_quantity == sheet.quantity:
        return ""
    counted = max(sheet.quantity, 0)
    reason = f"counted {sheet.quantity} in an imported file"
    if variant.imported_quantity is None:
        stock_row = StockItem.objects.filter(variant=variant, warehouse=stock.default_warehouse())
        on_hand = stock_row.values_list("on_hand", flat=True).first()
    else:
        on_hand = max(variant.imported_quantity, 0)
    if on_hand is None:
        kind = StockMovement.Kind.INITIAL
        stock.receive(sku=sheet.sku, quantity=counted, kind=kind, reason=reason, actor=ACTOR)
    elif counted != on_hand:
        change = counted - on_hand
        try:
            stock.adjust(sku=sheet.sku, change=change, reason=reason, actor=ACTOR)
        except stock.WouldGoBelowReserved as error:
            raise CountTooLow(sheet.line, sheet.quantity, str(error)) from error
    # By update(), which sends no signal: no page shows what a file counted.
    Variant.objects.filter(pk=variant.pk).update(imported_quantity=sheet.quantity)
    return f"{sheet.sku}: stock {counted - (on_hand or 0):+d}"
