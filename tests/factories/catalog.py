"""Categories, products and variants; mugs and a kettle, for sale, sold out or held."""

import uuid
from typing import Any

import factory
from django.utils.text import slugify
from factory.django import DjangoModelFactory

from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant
from tests.factories.inventory import StockItemFactory


class CategoryFactory(DjangoModelFactory):
    """A category; `parent=` puts it below another. A slug that exists returns that category."""

    class Meta:
        model = Category

    name = factory.Sequence("Category {}".format)
    slug = factory.LazyAttribute(lambda made: slugify(made.name))

    @classmethod
    def _create(cls, model_class: type[Category], *args: Any, **fields: Any) -> Category:
        parent = fields.pop("parent", None)
        found = Category.objects.filter(slug=fields["slug"]).first()
        if found is not None:
            return found
        if parent is None:
            return Category.objects.add_root(fields)
        return Category.objects.add_child(Category.objects.get(pk=parent.pk), fields)


class ProductFactory(DjangoModelFactory):
    """A published product without variants; see VariantFactory and `a_product`."""

    class Meta:
        model = Product
        skip_postgeneration_save = True

    name = factory.Sequence("Slow Thing {}".format)
    slug = factory.LazyAttribute(lambda made: slugify(made.name))
    description = factory.LazyAttribute(lambda made: f"<p>{made.name}, for slow mornings.</p>")
    vendor = "Kettle & Pine"
    category = factory.SubFactory(CategoryFactory, name="Kitchen")


class VariantFactory(DjangoModelFactory):
    """One SKU of a product, without stock; `stock=5` puts five into the default warehouse."""

    class Meta:
        model = Variant
        skip_postgeneration_save = True

    product = factory.SubFactory(ProductFactory)
    sku = factory.Sequence("SKU-{:05d}".format)
    price_amount = 1800
    weight_grams = 350

    @factory.post_generation
    def stock(made: Variant, create: bool, on_hand: int | None, **_: Any) -> None:
        if create and on_hand is not None:
            StockItemFactory(variant=made, on_hand=on_hand)


class ProductOptionFactory(DjangoModelFactory):
    class Meta:
        model = ProductOption

    product = factory.SubFactory(ProductFactory)
    name = "Size"
    values = factory.LazyFunction(lambda: ["Small", "Large"])


class ProductImageFactory(DjangoModelFactory):
    class Meta:
        model = ProductImage

    product = factory.SubFactory(ProductFactory)
    path = factory.Sequence("/static/demo/picture-{}.svg".format)
    alt = factory.LazyAttribute(lambda made: made.product.name)
    position = factory.Sequence(int)


def a_product(
    name: str, *, price: int = 1800, stock: int | None = 10, sku: str | None = None, **fields: Any
) -> Variant:
    """A published product of one variant, with `stock` units on hand (None: no stock item)."""
    variant_fields = {
        field: fields.pop(field)
        for field in (
            *("weight_grams", "compare_at_amount", "taxable", "requires_shipping", "active"),
            "inventory_policy",
        )
        if field in fields
    }
    product = ProductFactory(name=name, **fields)
    return VariantFactory(
        product=product,
        sku=sku or f"{product.slug.upper()}-{product.pk}",
        price_amount=price,
        stock=stock,
        **variant_fields,
    )


def a_mug(*, stock: int | None = 10, price: int = 1800, **fields: Any) -> Variant:
    """A stoneware mug, $18.00, 350 g."""
    fields.setdefault("slug", f"stoneware-mug-{uuid.uuid4().hex[:8]}")
    return a_product("Stoneware Mug", price=price, stock=stock, **fields)


def a_kettle(*, stock: int | None = 10, price: int = 8900, **fields: Any) -> Variant:
    """A gooseneck kettle, $89.00, 1.2 kg."""
    fields.setdefault("slug", f"gooseneck-kettle-{uuid.uuid4().hex[:8]}")
    fields.setdefault("weight_grams", 1200)
    return a_product("Gooseneck Kettle", price=price, stock=stock, **fields)


def sold_out_mug(**fields: Any) -> Variant:
    """A mug without units on hand."""
    return a_mug(stock=0, **fields)


def held_mug(*, stock: int = 2, **fields: Any) -> Variant:
    """A mug of which every unit is on hand and every unit is held by other orders."""
    mug = a_mug(stock=None, **fields)
    StockItemFactory(variant=mug, on_hand=stock, reserved=stock)
    return mug
