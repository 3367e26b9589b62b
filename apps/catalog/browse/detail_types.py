"""What a product's page shows, as plain data that Redis can hold."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from apps.catalog.pictures import PLACEHOLDER


@dataclass(frozen=True)
class Crumb:
    """One category on the path from the root to the product's own category."""

    slug: str
    name: str
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture; `sku` when it shows one variant only."""

    path: str
    alt: str
    sku: str | None


@dataclass(frozen=True)
class OptionDetail:
    """An option and its values, in the order in which pages show them."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class VariantDetail:
    """One active SKU of a product; amounts in minor units."""

    id: int
    sku: str
    name: str
    options: dict[str, str]
    price_amount: int
    compare_at_amount: int | None
    currency: str
    weight_grams: int
    image: str


@dataclass(frozen=True)
class ProductDetail:
    """A public product without availability. `description` is cleaned HTML, safe to show.

    One that is not `listed` is for those who have its address.
    """

    id: int
    slug: str
    name: str
    description: str
    vendor: str
    tags: tuple[str, ...]
    price_amount: int
    compare_at_amount: int | None
    currency: str
    category: Crumb
    trail: tuple[Crumb, ...]
    images: tuple[Picture, ...]
    options: tuple[OptionDetail, ...]
    variants: tuple[VariantDetail, ...]
    listed: bool = True

    @property
    def image(self) -> str:
        return self.images[0].path if self.images else PLACEHOLDER

    @property
    def skus(self) -> tuple[str, ...]:
        return tuple(variant.sku for variant in self.variants)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ProductDetail":
        # Of another release Redis may hold fewer fields, or more.
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        return cls(
            **{
                **known,
                "tags": tuple(data["tags"]),
                "category": Crumb(**data["category"]),
                "trail": tuple(Crumb(**crumb) for crumb in data["trail"]),
                "images": tuple(Picture(**picture) for picture in data["images"]),
                "options": tuple(
                    OptionDetail(name=option["name"], values=tuple(option["values"]))
                    for option in data["options"]
                ),
                "variants": tuple(VariantDetail(**variant) for variant in data["variants"]),
            }
        )
