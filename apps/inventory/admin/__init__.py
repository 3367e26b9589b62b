"""Stock in the back office: read everywhere, changed by movements with a reason only.

`on_hand` has no form field. Units come in by "Receive units" and are corrected by "Adjust count";
both go through `stock.receive` and `stock.adjust`, for one stock item or many at once, all or none.
"""

from apps.inventory.admin import holds, movements, stock_items, warehouses

__all__ = ["holds", "movements", "stock_items", "warehouses"]
