"""Reads a Shopify product CSV into products, each whole and valid or refused with line and reason.

A product is one or more rows with the same `Handle`: the first carries title, text and option
names, the others further variants and pictures. A row that cannot be read spoils its product (half
a product is worse than none), and no other. Lines are counted as an editor counts them, header
included; a row that spans lines is named by its first.

What a cell may be is decided here and nowhere else:

- Amounts are plain decimals (`1299.50`), not more precise than the currency. A compare-at price
  that is not above the price is no offer and is dropped.
- A blank quantity, or a file without that column, says nothing about stock. Negative ones are
  refused: they are what an oversold shop exports, and no shelf holds them.
- A cell that a spreadsheet would run as a formula (`=`, `@`, tab or return first; `+` or `-` before
  anything but a plain number) is refused: staff's next export would carry it on.
- An empty SKU becomes `handle.value.value`; see `derived_sku`.

The standard library's csv does the reading. django-import-export and tablib were looked at: they
map one row to one record, and here a record is a group of rows with three kinds of children.
"""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import IO

from django.conf import settings
from django.utils.text import slugify

from storefront import money

REQUIRED = ("Handle", "Title", "Variant Price")
OPTIONS_MAX = 3
CELL_MAX = 200_000  # characters; more is an unclosed quote
AMOUNT_MAX = 10_000_000_000  # minor units
QUANTITY_MAX = 10_000_000
GRAMS_MAX = 10_000_000
UNSORTED = "Uncategorised"

SLUG = re.compile(r"[-a-zA-Z0-9_]+")
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
WHOLE = re.compile(r"[0-9]{1,12}")
WEIGHT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?")
SIGNED = re.compile(r"[+-][0-9][0-9.,]*\s?[%°\w]{0,6}")
SURROGATE = re.compile("[\ud800-\udfff]")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
BOOLEANS = {"true": True, "false": False}
NO_OPTIONS = ("Title", "Default Title")

STATUSES = {"": True, "active": True, "draft": False, "archived": False}

# The columns that are read, and how long their cells may be (characters; None: by their form).
OPTION_NAMES = tuple(f"Option{number} Name" for number in range(1, OPTIONS_MAX + 1))
OPTION_VALUES = tuple(f"Option{number} Value" for number in range(1, OPTIONS_MAX + 1))
ONE_LINE = {
    "Title": 255,
    "Vendor": 120,
    "Type": 120,
    "Tags": 2000,
    "Variant SKU": 120,
    "Variant Barcode": 80,
    "Image Alt Text": 255,
    **dict.fromkeys(OPTION_NAMES, 80),
    **dict.fromkeys(OPTION_VALUES, 120),
}
LENGTHS = {
    **ONE_LINE,
    "Handle": 255,
    "Body (HTML)": 100_000,
    "Image Src": 1000,
    "Variant Image": 1000,
}
COLUMNS = (
    *LENGTHS,
    *("Published", "Status", "Image Position", "Variant Price", "Variant Compare At Price"),
    *("Variant Grams", "Variant Inventory Qty", "Variant Taxable", "Variant Requires Shipping"),
)
VARIANT_CELLS = ("Variant SKU", "Variant Price", *OPTION_VALUES)


class NotAProductCsv(Exception):
    """The file as a whole is not a Shopify product CSV; the text says why."""


class _Refused(Exception):
    """A cell or a row that cannot be used; the text is the reason."""


@dataclass(frozen=True)
class Problem:
    """What is wrong where."""

    line: int
    reason: str


@dataclass(frozen=True)
class Refused:
    """A product, or a row of none, that is left out."""

    line: int
    handle: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class SheetVariant:
    """A variant row. `quantity` None: the file does not say."""

    line: int
    sku: str
    is_derived: bool
    options: dict[str, str]
    price_amount: int
    compare_at_amount: int | None
    weight_grams: int
    barcode: str
    taxable: bool
    requires_shipping: bool
    quantity: int | None
    picture: str


@dataclass(frozen=True)
class SheetPicture:
    """A picture of the product as a whole."""

    line: int
    url: str
    alt: str


@dataclass(frozen=True)
class SheetProduct:
    """A whole product, valid in itself."""

    line: int
    handle: str
    title: str
    body: str
    vendor: str
    category: str
    tags: tuple[str, ...]
    published: bool
    options: tuple[tuple[str, tuple[str, ...]], ...]
    variants: tuple[SheetVariant, ...]
    pictures: tuple[SheetPicture, ...]


@dataclass
class Sheet:
    """What the file holds, in its order."""

    products: list[SheetProduct] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    """One row by column name; `trouble` when its cells cannot be trusted."""

    line: int
    cells: Mapping[str, str]
    trouble: str = ""

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read(stream: IO[bytes] | IO[str]) -> Sheet:
    """All products of the file. Raises NotAProductCsv; anything smaller stands in `refused`."""
    sheet = Sheet()
    groups: dict[str, list[_Row]] = {}
    for row in _rows(_text(stream)):
        handle = row["Handle"]
        if handle and SLUG.fullmatch(handle):
            groups.setdefault(handle, []).append(row)
            continue
        reason = row.trouble or ("missing handle" if not handle else _bad_handle(handle))
        sheet.refused.append(Refused(row.line, "", (Problem(row.line, reason),)))
    products = []
    for handle, rows in groups.items():
        read_as = _product(handle, rows)
        if isinstance(read_as, SheetProduct):
            products.append(read_as)
        else:
            sheet.refused.append(read_as)
    for settled in _with_settled_skus(products):
        if isinstance(settled, SheetProduct):
            sheet.products.append(settled)
        else:
            sheet.refused.append(settled)
    sheet.refused.sort(key=lambda refused: refused.line)
    return sheet


def derived_sku(handle: str, values: Sequence[str], *, is_taken: bool = False) -> str:
    """The SKU of a variant without one: always the same for the same handle and values.

    `clay-plant-pot.large`: a handle holds no dot, so that `mug` + `large` and `mug-large` stay
    apart. Where the letters do not tell all (`A/B` and `AB`, 水, a text too long for the column, a
    SKU that somebody else has) eight digits of a digest do.
    """
    slugs = [slugify(value) for value in values]
    plain = ".".join([handle, *slugs])
    tells_all = all(
        slug and slug.replace("-", " ") == value.lower()
        for slug, value in zip(slugs, values, strict=True)
    )
    if tells_all and len(plain) <= LENGTHS["Variant SKU"] and not is_taken:
        return plain
    digest = hashlib.sha256("\x1f".join([handle, *values]).encode()).hexdigest()[:8]
    return f"{plain[: LENGTHS['Variant SKU'] - 9].rstrip('.-')}~{digest}"


def told_apart(handle: str, variant: SheetVariant) -> SheetVariant:
    """The variant with the derived SKU that it has where somebody else has the plain one."""
    sku = derived_sku(handle, list(variant.options.values()), is_taken=True)
    return replace(variant, sku=sku)


# --- From bytes to rows ---------------------------------------------------------------------------


def _text(stream: IO[bytes] | IO[str]) -> str:
    content = stream.read()
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotAProductCsv("the file is UTF-16; save it as CSV UTF-8")
    # Bytes that are no UTF-8 become lone surrogates: their row is refused, not the file.
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _rows(text: str) -> Iterator[_Row]:
    lines = _physical_lines(text)
    raw = _raw_rows(lines)
    header: list[str] | None = None
    for line, cells, trouble in raw:
        if header is None:
            header = _header(cells, trouble)
            continue
        if not any(cell.strip() for cell in cells) and not trouble:
            continue
        trouble = trouble or _shape(header, cells)
        known = zip(header, cells, strict=False)
        row = {name: _tidy(name, cell) for name, cell in known if name}
        yield _Row(line, row, trouble)
    if header is None:
        raise NotAProductCsv("the file is empty")


def _physical_lines(text: str) -> list[str]:
    # Not splitlines(): it also breaks at form feeds and at Unicode's own line ends.
    return list(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")))


def _raw_rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str], str]]:
    """(line, cells, trouble) for each row; after a broken one reading goes on at the next line."""
    csv.field_size_limit(CELL_MAX)
    start = 0
    while start < len(lines):
        reader = csv.reader(islice(lines, start, None), strict=True)
        begun = 0
        try:
            for cells in reader:
                yield start + begun + 1, cells, ""
                begun = reader.line_num
            return
        except csv.Error as error:
            # An unclosed quote has swallowed the lines after it: read those again.
            first = start + begun
            handle = lines[first].split(",", 1)[0].strip().strip('"')
            yield first + 1, [handle], f"cannot be read: {error}"
            start = first + 1


def _header(cells: list[str], trouble: str) -> list[str]:
    if trouble:
        raise NotAProductCsv(f"the first line {trouble}")
    known = {name.lower(): name for name in COLUMNS}
    header = [known.get(cell.strip().lower(), "") for cell in cells]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise NotAProductCsv(f"not a Shopify product CSV: no column {', '.join(missing)}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise NotAProductCsv(f"the column {', '.join(twice)} stands there twice")
    return header


def _shape(header: Sequence[str], cells: Sequence[str]) -> str:
    extra = [cell for cell in cells[len(header) :] if cell.strip()]
    if len(cells) < len(header) or extra:
        return f"has {len(cells)} cells where the header has {len(header)}"
    for name, cell in zip(header, cells, strict=False):
        if SURROGATE.search(cell):
            return f"{name or 'a cell'} is not UTF-8"
        if CONTROL.search(cell):
            return f"{name or 'a cell'} holds a control character"
    return ""


def _tidy(name: str, cell: str) -> str:
    text = cell.strip()
    if name in ONE_LINE:
        text = " ".join(text.split())
        # A tab in front makes a formula; it must still be there when that is looked for.
        if cell.lstrip(" \n").startswith("\t") and text:
            text = "\t" + text
    return text


# --- From rows to a product -----------------------------------------------------------------------


def _product(handle: str, rows: Sequence[_Row]) -> SheetProduct | Refused:
    problems: list[Problem] = [Problem(row.line, row.trouble) for row in rows if row.trouble]
    sound = [row for row in rows if not row.trouble]
    for row in sound:
        problems += [Problem(row.line, reason) for reason in _bad_texts(row)]
    if problems:
        return Refused(rows[0].line, handle, tuple(problems))
    head = rows[0]
    try:
        title = _the_one(rows, "Title")
    except _Refused as refusal:
        return Refused(head.line, handle, (Problem(head.line, str(refusal)),))
    names = [head[column] for column in OPTION_NAMES]
    variants: list[SheetVariant] = []
    pictures: list[tuple[int, int, SheetPicture]] = []
    for row in rows:
        try:
            is_variant = row is head or any(row[column] for column in VARIANT_CELLS)
            if not is_variant and not row["Image Src"]:
                raise _Refused("neither a variant nor a picture")
            if is_variant:
                variants.append(_variant(handle, names, row, variants))
            if row["Image Src"]:
                position = _whole(row, "Image Position", QUANTITY_MAX)
                picture = SheetPicture(row.line, row["Image Src"], row["Image Alt Text"])
                pictures.append((QUANTITY_MAX if position is None else position, row.line, picture))
        except _Refused as refusal:
            problems.append(Problem(row.line, str(refusal)))
    try:
        published = _boolean(head, "Published") and _status(head)
    except _Refused as refusal:
        problems.append(Problem(head.line, str(refusal)))
    if problems:
        return Refused(head.line, handle, tuple(problems))
    tags = tuple(dict.fromkeys(tag for tag in map(str.strip, head["Tags"].split(",")) if tag))
    return SheetProduct(
        line=head.line,
        handle=handle,
        title=title,
        body=head["Body (HTML)"],
        vendor=head["Vendor"],
        category=head["Type"] or (tags[0][: LENGTHS["Type"]] if tags else UNSORTED),
        tags=tags,
        published=published,
        options=_options(variants),
        variants=tuple(variants),
        pictures=tuple(picture for _, _, picture in sorted(pictures, key=lambda p: p[:2])),
    )


def _the_one(rows: Sequence[_Row], column: str) -> str:
    """The product's value of a column: on its first row, the same or blank on the others."""
    values = list(dict.fromkeys(row[column] for row in rows if row[column]))
    if not rows[0][column]:
        raise _Refused(f"missing {column.lower()}")
    if len(values) > 1:
        other = next(row for row in rows if row[column] == values[1])
        raise _Refused(f"line {other.line} gives it another {column.lower()}: {values[1][:80]!r}")
    return values[0]


def _variant(
    handle: str, names: Sequence[str], row: _Row, earlier: Sequence[SheetVariant]
) -> SheetVariant:
    options = _chosen(names, row)
    same = [v for v in earlier if _folded(v.options) == _folded(options)]
    if same:
        raise _Refused(f"the same options as line {same[0].line}")
    price = _amount(row, "Variant Price")
    if price is None:
        raise _Refused("missing price")
    compare_at = _amount(row, "Variant Compare At Price")
    sku = row["Variant SKU"] or derived_sku(handle, list(options.values()))
    if any(v.sku == sku for v in earlier):
        raise _Refused(f'SKU "{sku}" stands on two lines of this product')
    return SheetVariant(
        line=row.line,
        sku=sku,
        is_derived=not row["Variant SKU"],
        options=options,
        price_amount=price,
        compare_at_amount=compare_at if compare_at is not None and compare_at > price else None,
        weight_grams=_grams(row),
        barcode=row["Variant Barcode"].removeprefix("'"),
        taxable=_boolean(row, "Variant Taxable"),
        requires_shipping=_boolean(row, "Variant Requires Shipping"),
        quantity=_whole(row, "Variant Inventory Qty", QUANTITY_MAX),
        picture=row["Variant Image"],
    )


def _chosen(names: Sequence[str], row: _Row) -> dict[str, str]:
    options: dict[str, str] = {}
    for number, (name, column) in enumerate(zip(names, OPTION_VALUES, strict=True), 1):
        value = row[column]
        if name and name in options:
            raise _Refused(f"two options are called {name!r}")
        if name and not value:
            raise _Refused(f"no value for option {name!r}")
        if value and not name:
            raise _Refused(f"option {number} has a value but no name")
        if name:
            options[name] = value
    return {} if tuple(options.items()) == (NO_OPTIONS,) else options


def _options(variants: Iterable[SheetVariant]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    values: dict[str, dict[str, None]] = {}
    for variant in variants:
        for name, value in variant.options.items():
            values.setdefault(name, {})[value] = None
    return tuple((name, tuple(seen)) for name, seen in values.items())


def _with_settled_skus(products: Iterable[SheetProduct]) -> Iterator[SheetProduct | Refused]:
    """SKUs given in the file win over derived ones; of two given ones the first line's."""
    products = list(products)
    owners: dict[str, tuple[str, int]] = {}
    for product in products:
        for variant in product.variants:
            if not variant.is_derived:
                owners.setdefault(variant.sku, (product.handle, variant.line))
    for product in products:
        problems = []
        variants = []
        for variant in product.variants:
            handle, line = owners.get(variant.sku, (product.handle, variant.line))
            if handle == product.handle:
                variants.append(variant)
            elif variant.is_derived:
                variants.append(told_apart(product.handle, variant))
            else:
                reason = f'SKU "{variant.sku}" belongs to "{handle}" (line {line})'
                problems.append(Problem(variant.line, reason))
        if problems:
            yield Refused(product.line, product.handle, tuple(problems))
        else:
            yield replace(product, variants=tuple(variants))


# --- Cells ----------------------------------------------------------------------------------------


def _bad_texts(row: _Row) -> Iterator[str]:
    for column, most in LENGTHS.items():
        value = row[column]
        if len(value) > most:
            yield f"{column} has {len(value)} characters, {most} are the most"
    for column in ONE_LINE:
        values = row[column].split(",") if column == "Tags" else [row[column]]
        if any(_is_formula(value.strip(" ")) for value in values):
            yield f"{column} begins like a formula: {_shown(row[column])}"


def _is_formula(value: str) -> bool:
    if value[:1] in ("+", "-"):
        return not SIGNED.fullmatch(value)  # +2.5 on reading glasses is no formula
    return value[:1] in ("=", "@", "\t") and value != ""


def _amount(row: _Row, column: str) -> int | None:
    text = row[column]
    if not text:
        return None
    what = column.removeprefix("Variant ").lower()
    if text.startswith("-"):
        raise _Refused(f"{what} is negative: {_shown(text)}")
    if not AMOUNT.fullmatch(text):
        raise _Refused(f"{what} is not an amount: {_shown(text)}")
    minor = money.to_minor(text, settings.SHOP_CURRENCY)
    if Decimal(money.decimal_string(minor, settings.SHOP_CURRENCY)) != Decimal(text):
        raise _Refused(f"{what} has more decimals than {settings.SHOP_CURRENCY}: {_shown(text)}")
    if minor > AMOUNT_MAX:
        raise _Refused(f"{what} is too large: {_shown(text)}")
    return minor


def _whole(row: _Row, column: str, most: int) -> int | None:
    text = row[column]
    if not text:
        return None
    what = column.removeprefix("Variant ").lower()
    if text.startswith("-"):
        raise _Refused(f"{what} is negative: {_shown(text)}")
    if not WHOLE.fullmatch(text):
        raise _Refused(f"{what} is not a whole number: {_shown(text)}")
    if int(text) > most:
        raise _Refused(f"{what} is too large: {_shown(text)}")
    return int(text)


def _grams(row: _Row) -> int:
    """Shopify exports converted pounds as 226.796185; the nearest gram is meant."""
    text = row["Variant Grams"] or "0"
    if not WEIGHT.fullmatch(text):
        raise _Refused(f"grams is not a weight: {_shown(text)}")
    grams = int(Decimal(text).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if grams > GRAMS_MAX:
        raise _Refused(f"grams is too large: {_shown(text)}")
    return grams


def _boolean(row: _Row, column: str) -> bool:
    """Blank is true, as in Shopify."""
    text = row[column].lower() or "true"
    if text not in BOOLEANS:
        raise _Refused(f"{column} is neither true nor false: {_shown(text)}")
    return BOOLEANS[text]


def _status(row: _Row) -> bool:
    text = row["Status"].lower()
    if text not in STATUSES:
        raise _Refused(f"Status is not active, draft or archived: {_shown(text)}")
    return STATUSES[text]


def _bad_handle(handle: str) -> str:
    return f"handle may hold letters a-z, digits, hyphens and underscores only: {_shown(handle)}"


def _folded(options: Mapping[str, str]) -> dict[str, str]:
    return {name: value.casefold() for name, value in options.items()}


def _shown(text: str) -> str:
    """A cell as a report may print it: short, quoted, without control characters."""
    return ascii(text[:60]) if SURROGATE.search(text) else repr(text[:60])
