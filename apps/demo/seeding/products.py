"""Categories and products, from the data in catalog/."""

from collections.abc import Mapping, Sequence

from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant
from apps.demo.catalog import CATEGORIES, CATEGORY_OF, ITEMS, Item, VariantRow
from apps.demo.pictures import Picture, pictures_of
from apps.demo.seeding.seeded import Seeded
from apps.inventory import stock
from apps.inventory.models import StockMovement

ACTOR = "seed_demo"


def create_categories(seeded: Seeded) -> dict[str, Category]:
    """Create the missing categories; returns all by slug."""
    known = {made.slug: made for made in Category.objects.all()}
    for category in CATEGORIES:
        if category.slug not in known:
            known[category.slug] = Category.objects.add_root(
                {
                    "slug": category.slug,
                    "name": category.name,
                    "caption": category.caption,
                    "description": category.description,
                    "image": f"/static/demo/shelf-{category.slug}.svg",
                }
            )
            seeded.count("categories")
    return known


def create_products(seeded: Seeded, categories: dict[str, Category]) -> None:
    """Create the missing products, with variants, pictures and opening stock."""
    known = set(
        Product.objects.filter(slug__in=[item.slug for item in ITEMS]).values_list(
            "slug", flat=True
        )
    )
    for item in ITEMS:
        if item.slug not in known:
            _create_product(item, categories[CATEGORY_OF[item.slug]], seeded)


def _create_product(item: Item, category: Category, seeded: Seeded) -> None:
    rows = list(item.variants())
    cheapest = min(rows, key=lambda row: row.price)
    product = Product.objects.create(
        slug=item.slug,
        name=item.name,
        description=item.description(),
        vendor=item.maker,
        category=category,
        tags=list(item.tags),
        featured=item.featured,
        price_amount=cheapest.price,
        compare_at_amount=cheapest.compare_at,
    )
    _create_options(product, item)
    variants = _create_variants(product, rows)
    pictures = list(pictures_of(item))
    _create_images(product, pictures, variants)
    for row in rows:
        stock.receive(
            sku=row.sku,
            quantity=row.stock,
            kind=StockMovement.Kind.INITIAL,
            reason="opening stock",
            actor=ACTOR,
        )
    seeded.count("products")
    seeded.count("variants", len(rows))
    seeded.count("pictures", len(pictures))


def _create_options(product: Product, item: Item) -> None:
    ProductOption.objects.bulk_create(
        ProductOption(
            product=product,
            name=name,
            values=[choice.label for choice in choices],
            position=position,
        )
        for position, (name, choices) in enumerate(item.options.items())
    )


def _create_variants(product: Product, rows: Sequence[VariantRow]) -> dict[str, Variant]:
    variants = Variant.objects.bulk_create(
        Variant(
            product=product,
            sku=row.sku,
            name=row.name,
            options=row.options,
            price_amount=row.price,
            compare_at_amount=row.compare_at,
            weight_grams=row.weight_grams,
            position=position,
        )
        for position, row in enumerate(rows)
    )
    return {variant.sku: variant for variant in variants}


def _create_images(
    product: Product, pictures: Sequence[Picture], variants: Mapping[str, Variant]
) -> None:
    # A picture that several variants share has a row for each; the gallery shows it once.
    ProductImage.objects.bulk_create(
        ProductImage(
            product=product,
            variant=variants[sku] if sku else None,
            path=picture.path,
            alt=picture.alt,
            position=position,
        )
        for position, picture in enumerate(pictures)
        for sku in picture.skus or ("",)
    )
