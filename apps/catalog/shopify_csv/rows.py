"""From the file's text to rows: lines, quotes, header, the shape of each row."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from apps.catalog.shopify_csv.columns import (
    BODY,
    CANONICAL,
    CODES,
    REQUIRED,
)
from apps.catalog.shopify_csv.file_text import DELIMITERS, delimiter_of, skip_separator_line
from apps.catalog.shopify_csv.sheet import SURROGATE, NotAProductCsv, Repair
from apps.catalog.text import CONTROL, code, one_line, unquoted
from apps.core import clean_text

CELL_MAX = 500_000  # characters; more is an unclosed quote


@dataclass(frozen=True)
class Row:
    """One row by column name; `defect` says why its cells cannot be used, "" if they can.

    Columns have Shopify's older names, whatever the file calls them (`names`). What is repaired
    while the row is read is collected in `repairs`. `raw_sku` is the SKU as it stood, its white
    space single spaces: what earlier versions of the importer kept.
    """

    line: int
    cells: Mapping[str, str]
    defect: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    repairs: list[Repair] = field(default_factory=list)
    raw_sku: str = ""

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def has(self, column: str) -> bool:
        """Whether the file has this column at all."""
        return column in self.cells

    def note(self, column: str, became: str, *, was: str | None = None) -> None:
        """Remember that the cell of `column` was not taken as it stands."""
        stood = self[column] if was is None else was
        self.repairs.append(Repair(self.line, self.names.get(column, column), stood, became))

    def remark(self, became: str) -> None:
        """Remember something about the whole row."""
        self.repairs.append(Repair(self.line, "", "", became))


def rows(text: str) -> Iterator[Row]:
    """The rows below the header that are not empty. Raises NotAProductCsv."""
    header: list[str] | None = None
    names: dict[str, str] = {}
    lines = _physical_lines(text)
    above = skip_separator_line(lines)
    delimiter = delimiter_of(lines[above:])
    for number, cells, defect in _raw_rows(lines[above:], delimiter):
        if header is None:
            header = _header(cells, defect, delimiter)
            names = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}
            continue
        if not any(cell.strip() for cell in cells) and not defect:
            continue
        row = Row(number + above, {}, defect or _shape_defect(header, cells), names)
        named = [(name, cell) for name, cell in zip(header, cells, strict=False) if name]
        tidy = {name: _tidy(row, name, cell) for name, cell in named}
        raw_sku = " ".join(dict(named).get("Variant SKU", "").split())
        yield replace(row, cells=tidy, raw_sku=raw_sku)
    if header is None:
        raise NotAProductCsv("the file is empty")


def _physical_lines(text: str) -> list[str]:
    # Not splitlines(): it also breaks at form feeds and at Unicode's line separators.
    return list(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")))


def _raw_rows(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """(line, cells, defect) for each row; after a broken one reading goes on at the next line."""
    csv.field_size_limit(CELL_MAX)
    start = 0
    while start < len(lines):
        reader = csv.reader(islice(lines, start, None), strict=True, delimiter=delimiter)
        lines_read = 0
        try:
            for cells in reader:
                yield start + lines_read + 1, cells, ""
                lines_read = reader.line_num
            return
        except csv.Error as error:
            # An unclosed quote took in the lines after it: read those again.
            first = start + lines_read
            handle = lines[first].split(delimiter, 1)[0].strip().strip('"')
            yield first + 1, [handle], f"cannot be read: {error}"
            start = first + 1


def _header(cells: list[str], defect: str, delimiter: str) -> list[str]:
    if defect:
        raise NotAProductCsv(f"the first line {defect}")
    header = [CANONICAL.get(cell.strip().lower(), "") for cell in cells]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise NotAProductCsv(
            f"not a Shopify product CSV: no column {', '.join(missing)},"
            f" with {DELIMITERS[delimiter]} between the cells"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise NotAProductCsv(f"the column {', '.join(twice)} stands there twice")
    return header


def _shape_defect(header: Sequence[str], cells: Sequence[str]) -> str:
    extra = [cell for cell in cells[len(header) :] if cell.strip()]
    if len(cells) < len(header) or extra:
        return f"has {len(cells)} cells where the header has {len(header)}"
    for name, cell in zip(header, cells, strict=False):
        if SURROGATE.search(cell):
            return f"{name or 'a cell'} is not UTF-8"
    return ""


def _tidy(row: Row, name: str, cell: str) -> str:
    """The cell as it is read on: cleaned by the rules of text.py, repairs noted."""
    if CONTROL.search(cell):
        row.note(name, "control characters became spaces", was=cell)
        cell = clean_text.without_controls(cell)
    if name in CODES:
        plain = code(cell)
        if one_line(cell) != plain:
            row.note(name, f"taken as {plain!r}, without the spreadsheet's apostrophe", was=cell)
        return plain
    text = unquoted(cell.strip())
    if text != cell.strip():
        row.note(name, "taken without the apostrophe that keeps it from being a formula", was=cell)
    if name == BODY:
        return clean_text.clean(text)
    return one_line(text)
