"""Products and categories."""

from typing import Annotated, Any, Literal

from typing_extensions import TypedDict

from apps.api.contract.formats import PageLinks, said
from apps.api.contract.money import Money


class Product(TypedDict):
    id: int
    slug: str
    name: str
    price: Money
    compare_at_price: Money | None
    image: str | None
    in_stock: bool
    category: Annotated[str, said("the category's slug")]


class ProductPage(PageLinks):
    results: list[Product]
    shown_for: Annotated[
        str | None,
        said("the words that were looked for, where nothing has those of `search`; null otherwise"),
    ]


class Image(TypedDict):
    url: str
    alt: str


class Option(TypedDict):
    name: str
    values: list[str]


Availability = Literal["in_stock", "backorder", "out_of_stock"]


class Variant(TypedDict):
    sku: str
    name: str
    price: Money
    compare_at_price: Money | None
    available: Annotated[
        int, said("units that can be bought now; 1000000 where it is sold without a limit")
    ]
    availability: Annotated[
        Availability, said("`backorder`: none is there, what is bought now ships later")
    ]
    options: dict[str, str]


class ProductDetail(Product):
    description: Annotated[str, said("cleaned HTML")]
    images: list[Image]
    options: list[Option]
    variants: list[Variant]


class Category(TypedDict):
    slug: str
    name: str
    children: Annotated[list[dict[str, Any]], said("categories again")]
