"""What a file holds once it is read: products, what was repaired, and what was refused and why."""

import re
from dataclasses import dataclass, field

SURROGATE = re.compile("[\ud800-\udfff]")


class NotAProductCsv(Exception):
    """The file as a whole is not a Shopify product CSV; the text says why."""


@dataclass(frozen=True)
class Problem:
    """A line of the file and what is wrong with it."""

    line: int
    reason: str


@dataclass(frozen=True)
class Refused:
    """A product, or a row without a product, that is left out."""

    line: int
    handle: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Repair:
    """A cell that was not taken as it stood: what stood there, and what was made of it.

    `column` is called as in the file; "" for a remark about the whole row or file.
    """

    line: int
    column: str
    was: str
    became: str

    @property
    def text(self) -> str:
        if not self.column:
            return self.became
        return f"{self.column} {quoted(self.was) if self.was else 'is empty'}: {self.became}"


@dataclass(frozen=True)
class SheetVariant:
    """A variant row; amounts in minor units. `quantity` None: the file does not say.

    `is_derived`: the file gives no SKU, `sku` was made from the slug and the options. `raw_sku` is
    the cell before it was cleaned.
    `quantity` may be negative: so many units are sold that are not there yet.
    """

    line: int
    sku: str
    raw_sku: str
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
    inventory_policy: str


@dataclass(frozen=True)
class SheetPicture:
    """A picture of the product as a whole."""

    line: int
    url: str
    alt: str


@dataclass(frozen=True)
class SheetProduct:
    """A whole product, each of its rows valid.

    `handle` is the slug that is made of the file's handle (`file_handle`), `other_handle` the one
    that it has where another product has that; "" where no other product can have it.
    """

    line: int
    file_handle: str
    handle: str
    other_handle: str
    title: str
    body: str
    vendor: str
    category: str
    tags: tuple[str, ...]
    published: bool
    listed: bool
    gift_card: bool
    options: tuple[tuple[str, tuple[str, ...]], ...]
    variants: tuple[SheetVariant, ...]
    pictures: tuple[SheetPicture, ...]
    repairs: tuple[Repair, ...] = ()


@dataclass
class Sheet:
    """All products and refusals, in the order of the file; `repairs`: of the file as a whole."""

    products: list[SheetProduct] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)


def quoted(text: str) -> str:
    """A cell as reports print it: at most 60 characters, quoted, control characters escaped."""
    return ascii(text[:60]) if SURROGATE.search(text) else repr(text[:60])
