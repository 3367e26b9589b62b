"""What an import did with each product of the file."""

from collections.abc import Callable
from dataclasses import dataclass, field

from apps.catalog.shopify_csv import Problem, Refused, SheetProduct

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Entry:
    """One product of the file: its first line, its handle, and what the import changed."""

    line: int
    handle: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """A remark about a product that was imported, or about the whole file (`handle` "")."""

    line: int
    handle: str
    text: str


@dataclass
class ImportReport:
    """What became of each product of the file, in the order of the file."""

    created: list[Entry] = field(default_factory=list)
    updated: list[Entry] = field(default_factory=list)
    unchanged: list[Entry] = field(default_factory=list)
    skipped: list[Refused] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def refused(product: SheetProduct, line: int, reason: str) -> Refused:
    """The product, left out because of one line."""
    return Refused(product.line, product.handle, (Problem(line, reason),))
