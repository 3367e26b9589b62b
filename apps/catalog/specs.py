"""Whole products as they should be: what services.save_product writes."""

from dataclasses import dataclass

from apps.catalog import publishing
from apps.catalog.models import Product, Variant


class SkuTaken(Exception):
    """The SKU belongs to another product."""

    def __init__(self, sku: str, slug: str) -> None:
        super().__init__(f'SKU "{sku}" belongs to "{slug}"')
        self.sku, self.slug = sku, slug


@dataclass(frozen=True)
class VariantSpec:
    """A variant as it should be; amounts in minor units of the shop's currency."""

    sku: str
    name: str
    options: dict[str, str]
    price_amount: int
    compare_at_amount: int | None
    weight_grams: int
    barcode: str
    taxable: bool
    requires_shipping: bool
    inventory_policy: str = Variant.InventoryPolicy.DENY


@dataclass(frozen=True)
class PictureSpec:
    """A picture as it should be; `sku` when it shows one variant."""

    path: str
    source_url: str
    alt: str
    sku: str | None = None


@dataclass(frozen=True)
class ProductSpec:
    """A whole product as it should be. Variants that are not in it are no longer sold.

    It is published only if publishing.py has no objection, whatever `published` says.
    """

    slug: str
    name: str
    description: str
    vendor: str
    category: str
    tags: tuple[str, ...]
    published: bool
    options: tuple[tuple[str, tuple[str, ...]], ...]
    variants: tuple[VariantSpec, ...]
    pictures: tuple[PictureSpec, ...]
    listed: bool = True
    gift_card: bool = False

    @property
    def objections(self) -> tuple[str, ...]:
        """Why the product cannot be published, for people; empty: it can."""
        return publishing.objections(
            has_category=bool(self.category),
            has_offer=any(variant.sku for variant in self.variants),
            gift_card=self.gift_card,
        )


@dataclass(frozen=True)
class Saved:
    """The result. `changes` names what differed, for people; empty: nothing was written."""

    product: Product
    is_new: bool
    changes: tuple[str, ...]
