"""From the rows of one handle to a product."""

from collections.abc import Sequence

from apps.catalog import limits
from apps.catalog.html import clean_html
from apps.catalog.publishing import GIFT_CARD
from apps.catalog.shopify_csv import cells
from apps.catalog.shopify_csv.amounts import CellRefused
from apps.catalog.shopify_csv.columns import BODY, VARIANT_CELLS
from apps.catalog.shopify_csv.options import (
    case_folded,
    option_names,
    options_of_product,
    options_of_variant,
)
from apps.catalog.shopify_csv.rows import Row
from apps.catalog.shopify_csv.sheet import (
    Problem,
    Refused,
    SheetPicture,
    SheetProduct,
    SheetVariant,
)
from apps.catalog.shopify_csv.variants import variant_of_row

UNSORTED = "Uncategorised"


class _Children:
    """The variants and pictures of a product, gathered row by row, with what is wrong with them."""

    def __init__(self, slug: str, head: Row, rows: Sequence[Row]) -> None:
        self.variants: list[SheetVariant] = []
        self.problems: list[Problem] = []
        self._slug = slug
        self._head = head
        self._option_names = option_names(head, [row for row in rows if self._is_variant(row)])
        # (position, line, picture): sorted by the first two.
        self._pictures: list[tuple[int, int, SheetPicture]] = []

    def add(self, row: Row) -> None:
        """Take in the variant, the picture, or both, of one row."""
        try:
            if self._is_variant(row):
                self._add_variant(row)
            elif not row["Image Src"]:
                row.remark("neither a variant nor a picture: the row is left out")
            if row["Image Src"]:
                self._add_picture(row)
        except CellRefused as refusal:
            self.problems.append(Problem(row.line, str(refusal)))

    @property
    def pictures(self) -> tuple[SheetPicture, ...]:
        return tuple(picture for _, _, picture in sorted(self._pictures, key=lambda p: p[:2]))

    def _is_variant(self, row: Row) -> bool:
        return row is self._head or any(row[column] for column in VARIANT_CELLS)

    def _add_variant(self, row: Row) -> None:
        options = options_of_variant(self._option_names, row)
        for other in self.variants:
            if case_folded(other.options) == case_folded(options):
                row.remark(f"the same options as line {other.line}: this variant is left out")
                return
        self.variants.append(variant_of_row(self._slug, options, row, self._head))

    def _add_picture(self, row: Row) -> None:
        alt = row["Image Alt Text"]
        if len(alt) > limits.ALT:
            row.note("Image Alt Text", f"cut to {limits.ALT} characters")
        picture = SheetPicture(row.line, row["Image Src"], alt[: limits.ALT].rstrip())
        place = cells.position(row, cells.QUANTITY_MAX)
        self._pictures.append((place, row.line, picture))


def product_of_rows(slug: str, other_slug: str, rows: Sequence[Row]) -> SheetProduct | Refused:
    """The product that `rows`, all of one handle, describe; refused as a whole otherwise."""
    head = rows[0]
    problems = _unusable(rows)
    if problems:
        return Refused(head.line, slug, tuple(problems))
    children = _Children(slug, head, rows)
    for row in rows:
        children.add(row)
    try:
        product = _product(slug, other_slug, rows, children)
    except CellRefused as refusal:
        children.problems.append(Problem(head.line, str(refusal)))
    else:
        if not children.problems:
            return product
    return Refused(head.line, slug, tuple(children.problems))


def _product(slug: str, other_slug: str, rows: Sequence[Row], children: _Children) -> SheetProduct:
    head = rows[0]
    title = _title(rows)
    published, listed = cells.status(head)
    published = cells.boolean(head, "Published") and published
    gift_card = cells.boolean(head, "Gift Card", blank=False)
    if gift_card:
        head.note("Gift Card", f"not put on sale: {GIFT_CARD}")
    tags = cells.tags(head)
    return SheetProduct(
        line=head.line,
        file_handle=head["Handle"],
        handle=slug,
        other_handle=other_slug,
        title=title,
        body=_body(head),
        vendor=head["Vendor"],
        category=_category(head, tags),
        tags=tags,
        published=published and not gift_card,
        listed=listed,
        gift_card=gift_card,
        options=options_of_product(children.variants),
        variants=tuple(children.variants),
        pictures=children.pictures,
        repairs=tuple(repair for row in rows for repair in row.repairs),
    )


def _unusable(rows: Sequence[Row]) -> list[Problem]:
    problems = [Problem(row.line, row.defect) for row in rows if row.defect]
    for row in rows:
        if not row.defect:
            problems += [Problem(row.line, reason) for reason in cells.text_problems(row)]
    return problems


def _title(rows: Sequence[Row]) -> str:
    """The title of the first row that has one; another one on a later row is noted."""
    titled = [row for row in rows if row["Title"]]
    if not titled:
        raise CellRefused("missing title")
    first = titled[0]
    for row in titled:
        if row["Title"] != first["Title"]:
            row.note("Title", f"left out: line {first.line} calls it {first['Title'][:80]!r}")
    return first["Title"]


def _body(head: Row) -> str:
    body = clean_html(head[BODY])
    if len(body) > limits.DESCRIPTION:
        raise CellRefused(f"{BODY} has {len(body)} characters, {limits.DESCRIPTION} are the most")
    return body


def _category(head: Row, tags: Sequence[str]) -> str:
    """The type, else the first tag. Standard types are paths: `Home > Decor > Vases`."""
    standard = head["Standard Product Type"].rpartition(">")[2].strip()
    tag = tags[0] if tags else UNSORTED
    return head["Type"] or head["Custom Product Type"] or standard or tag
