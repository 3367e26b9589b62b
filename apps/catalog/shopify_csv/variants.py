"""From one row to a variant: its SKU, prices, count and policy."""

from apps.catalog.shopify_csv import cells
from apps.catalog.shopify_csv.amounts import CellRefused, amount
from apps.catalog.shopify_csv.rows import Row
from apps.catalog.shopify_csv.sheet import SheetVariant
from apps.catalog.shopify_csv.skus import derived_sku
from apps.inventory.policy import Policy


def variant_of_row(slug: str, options: dict[str, str], row: Row, head: Row) -> SheetVariant:
    """The variant of one row; `head` is the product's first. Raises CellRefused."""
    price = amount(row, "Variant Price")
    if price is None:
        raise CellRefused("missing price")
    policy = cells.inventory_policy(row, head)
    return SheetVariant(
        line=row.line,
        sku=row["Variant SKU"] or derived_sku(slug, list(options.values())),
        raw_sku=row.raw_sku,
        is_derived=not row["Variant SKU"],
        options=options,
        price_amount=price,
        compare_at_amount=_compare_at(row, price),
        weight_grams=cells.grams(row),
        barcode=cells.barcode(row),
        taxable=cells.boolean(row, "Variant Taxable"),
        requires_shipping=cells.boolean(row, "Variant Requires Shipping"),
        quantity=_quantity(row, policy),
        picture=row["Variant Image"],
        inventory_policy=policy,
    )


def _compare_at(row: Row, price: int) -> int | None:
    """The crossed-out price; none when it is not above the price, or cannot be read."""
    column = "Variant Compare At Price"
    try:
        compared = amount(row, column)
    except CellRefused as refusal:
        row.note(column, f"left out: {str(refusal).partition(':')[0]}")
        return None
    if compared is None or compared > price:
        return compared
    if compared:
        row.note(column, "left out: it is not above the price")
    return None


def _quantity(row: Row, policy: str) -> int | None:
    """The count. Below zero it is kept only where the variant goes on selling."""
    quantity = cells.whole_number(row, "Variant Inventory Qty", cells.QUANTITY_MAX)
    if quantity is not None and quantity < 0 and policy == Policy.DENY:
        row.note(
            "Variant Inventory Qty",
            f"{-quantity} are sold that are not there: a debt. The stock here begins at 0",
        )
    return quantity
