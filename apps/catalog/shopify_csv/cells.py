"""The values of single cells: numbers, weights, yes and no, status and policy; texts too long."""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from apps.catalog import limits
from apps.catalog.models import Variant
from apps.catalog.shopify_csv.amounts import CellRefused
from apps.catalog.shopify_csv.columns import LENGTHS
from apps.catalog.shopify_csv.rows import Row
from apps.catalog.shopify_csv.sheet import quoted

QUANTITY_MAX = 10_000_000
GRAMS_MAX = 10_000_000

WHOLE = re.compile(r"-?[0-9]{1,12}")
FLOAT = re.compile(r"(-?[0-9]{1,12})[.,]0+")  # a spreadsheet's 21.0
GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+")
WEIGHT = re.compile(r"[0-9]{1,12}([.,][0-9]{1,20})?")
ROUNDED_CODE = re.compile(r"[0-9](\.[0-9]+)?[eE]\+[0-9]{1,3}")
# With the words that spreadsheets of other languages write for TRUE and FALSE.
YES = {"true", "yes", "y", "1", "wahr", "vrai", "verdadero", "vero", "waar", "verdadeiro", "sant",
       "prawda"}  # fmt: skip
NO = {"false", "no", "n", "0", "falsch", "faux", "falso", "onwaar", "falskt", "fałsz"}
# Published, and in lists.
STATUSES = {
    "": (True, True),
    "active": (True, True),
    "unlisted": (True, False),
    "draft": (False, True),
    "archived": (False, True),
}
POLICIES = {
    "deny": Variant.InventoryPolicy.DENY,
    "false": Variant.InventoryPolicy.DENY,
    "continue": Variant.InventoryPolicy.CONTINUE,
    "true": Variant.InventoryPolicy.CONTINUE,
}


def text_problems(row: Row) -> Iterator[str]:
    """Which text cells of the row are too long."""
    for column, most in LENGTHS.items():
        if len(row[column]) > most:
            yield f"{column} has {len(row[column])} characters, {most} are the most"


def whole_number(row: Row, column: str, most: int) -> int | None:
    """The cell as a number from `-most` to `most`; None when blank. Raises CellRefused."""
    text = row[column]
    if not text:
        return None
    what = column.removeprefix("Variant ").lower()
    plain = text
    if found := FLOAT.fullmatch(text):
        plain = found[1]
    elif GROUPED.fullmatch(text):
        plain = text.replace(",", "")
    if not WHOLE.fullmatch(plain):
        raise CellRefused(f"{what} is not a whole number: {quoted(text)}")
    if abs(int(plain)) > most:
        raise CellRefused(f"{what} is too large: {quoted(text)}")
    if plain != text:
        row.note(column, f"read as {int(plain)}")
    return int(plain)


def position(row: Row, last: int) -> int:
    """The place of the row's picture; `last` when blank or unreadable."""
    try:
        place = whole_number(row, "Image Position", last)
    except CellRefused:
        place = -1
    if place is not None and place < 0:
        row.note("Image Position", "no position; the picture comes last")
        return last
    return last if place is None else place


def grams(row: Row) -> int:
    """The weight to the nearest gram: Shopify exports converted pounds as 226.796185."""
    text = row["Variant Grams"] or "0"
    if not WEIGHT.fullmatch(text):
        raise CellRefused(f"grams is not a weight: {quoted(text)}")
    plain = text.replace(",", ".")
    nearest = int(Decimal(plain).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if nearest > GRAMS_MAX:
        raise CellRefused(f"grams is too large: {quoted(text)}")
    if plain != text:
        row.note("Variant Grams", f"read as {nearest} g")
    return nearest


def barcode(row: Row) -> str:
    """The barcode; none when a spreadsheet rounded it (`4.00638E+12`)."""
    text = row["Variant Barcode"]
    if ROUNDED_CODE.fullmatch(text):
        row.note("Variant Barcode", "left out: a spreadsheet rounded it")
        return ""
    return text


def boolean(row: Row, column: str, *, blank: bool = True) -> bool:
    """Yes or no; a blank cell is `blank`, as in Shopify. Raises CellRefused."""
    text = row[column].lower()
    if not text:
        return blank
    if text not in YES | NO:
        raise CellRefused(f"{column} is neither true nor false: {quoted(text)}")
    if text not in ("true", "false"):
        row.note(column, f"read as {'true' if text in YES else 'false'}")
    return text in YES


def status(row: Row) -> tuple[bool, bool]:
    """Whether the product's Status puts it on sale, and into lists. Raises CellRefused."""
    text = row["Status"].lower()
    if text not in STATUSES:
        raise CellRefused(f"Status is not active, draft, archived or unlisted: {quoted(text)}")
    return STATUSES[text]


def inventory_policy(row: Row, head: Row) -> str:
    """What happens when none are left. A row that says nothing is like the product's first row.

    A blank tracker means in Shopify that the units are not counted; but a row that leaves the
    policy blank as well was written by hand and says neither.
    """
    says = row
    if not row["Variant Inventory Policy"] and not row["Variant Inventory Tracker"]:
        says = head
    policy, tracker = says["Variant Inventory Policy"], says["Variant Inventory Tracker"]
    if says.has("Variant Inventory Tracker") and policy and not tracker:
        row.note("Variant Inventory Tracker", "the units are not counted", was="")
        return Variant.InventoryPolicy.UNTRACKED
    if policy.lower() in POLICIES:
        return POLICIES[policy.lower()]
    if policy:
        row.note("Variant Inventory Policy", "neither deny nor continue; taken as deny")
    return Variant.InventoryPolicy.DENY


def tags(row: Row) -> tuple[str, ...]:
    """The tags, each once; what is over the limits is left out, with a note."""
    found = tuple(dict.fromkeys(t for t in map(str.strip, row["Tags"].split(",")) if t))
    short = tuple(tag for tag in found if len(tag) <= limits.TAG)
    if len(short) < len(found):
        row.note("Tags", f"tags of more than {limits.TAG} characters are left out")
    if len(short) > limits.TAGS:
        row.note("Tags", f"{len(short)} tags; the first {limits.TAGS} are taken")
    return short[: limits.TAGS]
