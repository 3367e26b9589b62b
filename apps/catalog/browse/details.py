"""A product with its variants, options and pictures, from Redis or from PostgreSQL."""

from collections.abc import Mapping

from apps.catalog import cache
from apps.catalog.browse.detail_types import (
    Crumb,
    OptionDetail,
    Picture,
    ProductDetail,
    VariantDetail,
)
from apps.catalog.models import Category, Product, ProductImage, Variant
from apps.catalog.pictures import PLACEHOLDER
from apps.catalog.publishing import PUBLIC


def product_detail(slug: str) -> ProductDetail | None:
    """A public product, listed or not; None when there is none. Availability: inventory.stock."""
    if not slug or len(slug) > 255 or not slug.replace("-", "").replace("_", "").isalnum():
        return None  # not a slug: no key in Redis for it
    if not slug.isascii():
        return None
    return cache.remembered(
        "product", slug, fill=lambda: _read_detail(slug), decode=ProductDetail.from_json
    )


def _read_detail(slug: str) -> ProductDetail | None:
    # From the primary: a replica that lags would put the product as it was before the change back
    # into the cache, for another five minutes.
    product = (
        Product.objects.filter(PUBLIC, slug=slug)
        .select_related("category")
        .prefetch_related("options", "images")
        .defer("search")
        .first()
    )
    if product is None:
        return None
    category = product.category
    variants = list(Variant.objects.filter(product=product, active=True))
    images = list(product.images.all())
    return ProductDetail(
        id=product.pk,
        slug=product.slug,
        name=product.name,
        description=product.description,
        vendor=product.vendor,
        tags=tuple(product.tags),
        price_amount=product.price_amount,
        compare_at_amount=product.compare_at_amount,
        currency=product.currency,
        category=Crumb(slug=category.slug, name=category.name),
        trail=_trail(category),
        images=_gallery(images, {variant.pk: variant.sku for variant in variants}),
        options=tuple(
            OptionDetail(name=option.name, values=tuple(option.values))
            for option in product.options.all()
        ),
        variants=_variants(variants, images),
        listed=product.listed,
    )


def _trail(category: Category) -> tuple[Crumb, ...]:
    """The categories from the root to this one; a path begins with the paths of its ancestors."""
    steps = range(category.steplen, len(category.path) + 1, category.steplen)
    paths = [category.path[:end] for end in steps]
    rows = Category.objects.filter(path__in=paths).order_by("path")
    return tuple(Crumb(*values) for values in rows.values_list("slug", "name", "caption"))


def _variants(variants: list[Variant], images: list[ProductImage]) -> tuple[VariantDetail, ...]:
    first = images[0].path if images else PLACEHOLDER
    own_picture = {row.variant_id: row.path for row in reversed(images) if row.variant_id}
    return tuple(
        VariantDetail(
            id=variant.pk,
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            price_amount=variant.price_amount,
            compare_at_amount=variant.compare_at_amount,
            currency=variant.currency,
            weight_grams=variant.weight_grams,
            image=own_picture.get(variant.pk) or first,
        )
        for variant in variants
    )


def _gallery(rows: list[ProductImage], skus: Mapping[int, str]) -> tuple[Picture, ...]:
    """Each picture once, though several variants share it."""
    seen: dict[str, Picture] = {}
    for row in rows:
        sku = skus.get(row.variant_id) if row.variant_id else None
        known = seen.get(row.path)
        if known is None:
            seen[row.path] = Picture(path=row.path, alt=row.alt, sku=sku)
        elif known.sku != sku:
            seen[row.path] = Picture(path=row.path, alt=known.alt, sku=None)
    return tuple(seen.values())
