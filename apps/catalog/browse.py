"""Looking around in the shop: lists, the category tree, product pages.

Lists come from SQL in a bounded number of queries, with everything a card shows annotated on each
product. Whether something is in stock is asked of the stock rows, holds taken off, never of a
cache. Product pages and the tree come from Redis (cache.py) and hold no availability.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.contrib.postgres.search import CombinedSearchQuery, SearchQuery, SearchRank
from django.db.models import (
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan

from apps.catalog import cache
from apps.catalog import search as wording
from apps.catalog.models import Category, Product, ProductImage, Variant
from apps.catalog.pictures import PLACEHOLDER
from apps.inventory.models import StockItem

COUNTS_KEPT = timedelta(minutes=1)  # what is counted over the whole shop

SHOP_ORDER = ("-featured", "name", "id")
# Each ends in a unique column, so that pages neither skip nor repeat. Relevance has no column of
# its own: it sorts by the annotation `rank`, and without a search it is the shop's order.
ORDERINGS: Mapping[str, tuple[str, ...]] = {
    "relevance": ("-rank", *SHOP_ORDER),
    "name": ("name", "id"),
    "price": ("price_amount", "id"),
    "-price": ("-price_amount", "-id"),
    "newest": ("-created_at", "-id"),
}


class UnknownOrdering(ValueError):
    """No list of the shop is ordered that way."""

    def __init__(self, ordering: str) -> None:
        super().__init__(f"unknown ordering; there are {', '.join(ORDERINGS)}")
        self.ordering = ordering


class Wishes(TypedDict, total=False):
    """What a list is narrowed by; None and left out are no wish. See `products`."""

    search: str | None
    category: str | None
    min_price: int | None
    max_price: int | None
    in_stock: bool | None


def products(*, ordering: str | None = None, **wishes: Unpack[Wishes]) -> QuerySet[Product]:
    """Published products, lazily; slice it and read it once.

    `category` is a slug and includes the shelves below it; an unknown one lists nothing. Prices in
    minor units, both ends included. `in_stock` True or False filters, None does not. Raises
    UnknownOrdering.

    Each product carries: `category` (selected), `image_path`, `image_alt`, `units_left` (for sale
    over all variants and warehouses), `in_stock`, `dearest_amount` (highest price of an active
    variant, minor units; above `price_amount` the card says "from"), and `rank` when searching.
    """
    found, query = narrowed(**wishes)
    if query is not None:
        found = found.annotate(rank=SearchRank(F("search"), query))
    found = found.order_by(*_columns(ordering, is_ranked=query is not None))
    return found.select_related("category").defer("search", "description").annotate(**_CARD)


def narrowed(
    *,
    search: str | None = None,
    category: str | None = None,
    min_price: int | None = None,
    max_price: int | None = None,
    in_stock: bool | None = None,
) -> tuple[QuerySet[Product], CombinedSearchQuery | SearchQuery | None]:
    """The rows of such a list, in no order and with nothing worked out; and what ranks them."""
    # Stock is never a replica's business: a filter by it asks the primary.
    database = "default" if in_stock is not None else settings.CATALOGUE_DATABASE
    found = Product.objects.using(database).filter(published=True).order_by()
    if category is not None:
        found = found.filter(category__in=_below(category, database))
    if min_price is not None:
        found = found.filter(price_amount__gte=min_price)
    if max_price is not None:
        found = found.filter(price_amount__lte=max_price)
    if in_stock is not None:
        found = found.filter(_IN_STOCK if in_stock else ~_IN_STOCK)
    return _matching(found, search, database)


def portion(found: QuerySet[Product], *, after: int, count: int) -> list[Product]:
    """`count` products of a list (from products(); unsliced), those before it skipped.

    Far into a list PostgreSQL would work out what a card shows for all that are skipped: so first
    which they are, then what they show.
    """
    if not after:
        return list(found[:count])
    ids = list(found.values_list("pk", flat=True)[after : after + count])
    shown = {product.pk: product for product in found.filter(pk__in=ids).order_by()}
    return [shown[pk] for pk in ids if pk in shown]


def last_few(*, units: int, count: int) -> list[Product]:
    """Up to `count` products of which there are `units` or fewer left, the fewest first.

    To know which they are, the stock of the whole shop is added up: they are remembered for a
    minute, some more than are shown. What is left of them is asked now.
    """

    def fill() -> list[int]:
        left = Sum(F("on_hand") - F("reserved"))
        few = (
            StockItem.objects.filter(on_hand__gt=F("reserved"), variant__active=True)
            .values("variant__product")
            .annotate(left=left)
            .filter(left__lte=units, variant__product__published=True)
            .order_by("left", "variant__product")
        )
        return list(few.values_list("variant__product", flat=True)[: 4 * count])

    name = f"{units}-{count}"
    few: list[int] = cache.remembered("few", name, fill=fill, decode=list, fresh=COUNTS_KEPT) or []
    scarce = attrgetter("units_left", "name", "pk")
    found = sorted(products(in_stock=True).filter(pk__in=few), key=scarce)
    return [product for product in found if scarce(product)[0] <= units][:count]


@dataclass(frozen=True)
class CategoryNode:
    """A shelf with the shelves below it."""

    slug: str
    name: str
    description: str
    image: str
    children: tuple["CategoryNode", ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CategoryNode":
        children = tuple(cls.from_json(child) for child in data["children"])
        return cls(**{**data, "children": children})


def category_tree() -> list[CategoryNode]:
    """All shelves, roots first, from Redis or by one query."""

    def fill() -> list[CategoryNode]:
        return _nest(list(Category.objects.order_by("path")))

    def decode(data: list[Any]) -> list[CategoryNode]:
        return [CategoryNode.from_json(node) for node in data]

    return cache.remembered("tree", "categories", fill=fill, decode=decode) or []


@dataclass(frozen=True)
class Crumb:
    """One step of the way from the door to the shelf."""

    slug: str
    name: str


@dataclass(frozen=True)
class Picture:
    """A picture; `sku` when it shows one variant only."""

    path: str
    alt: str
    sku: str | None


@dataclass(frozen=True)
class OptionDetail:
    """A choice and its values, in the shop's order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class VariantDetail:
    """One active SKU of a product page; amounts in minor units."""

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
    """A product page without availability. `description` is cleaned HTML, safe to show."""

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

    @property
    def image(self) -> str:
        return self.images[0].path if self.images else PLACEHOLDER

    @property
    def skus(self) -> tuple[str, ...]:
        return tuple(variant.sku for variant in self.variants)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ProductDetail":
        return cls(
            **{
                **data,
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


def product_detail(slug: str) -> ProductDetail | None:
    """The page of a published product; None when there is none. Availability: inventory.stock."""
    if not slug or len(slug) > 255 or not slug.replace("-", "").replace("_", "").isalnum():
        return None  # no slug looks like that, and Redis need not remember it
    if not slug.isascii():
        return None
    return cache.remembered(
        "product", slug, fill=lambda: _read_detail(slug), decode=ProductDetail.from_json
    )


# --- How lists are put together -------------------------------------------------------------------

_STOCK_OF_PRODUCT = StockItem.objects.filter(
    variant__product=OuterRef("pk"), variant__active=True, on_hand__gt=F("reserved")
)
_IN_STOCK = Exists(_STOCK_OF_PRODUCT)
_FIRST_IMAGE = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "id")
_UNITS_LEFT = Coalesce(
    Subquery(
        _STOCK_OF_PRODUCT.order_by()
        .values("variant__product")
        .annotate(units=Sum(F("on_hand") - F("reserved")))
        .values("units"),
        output_field=IntegerField(),
    ),
    0,
)
# PostgreSQL works these out for the rows of the page only, after sorting and limiting. (`in_stock`
# is not _IN_STOCK here: an EXISTS in the select list is hashed over the whole stock first.)
_CARD: dict[str, Any] = {
    "image_path": Coalesce(Subquery(_FIRST_IMAGE.values("path")[:1]), Value(PLACEHOLDER)),
    "image_alt": Coalesce(Subquery(_FIRST_IMAGE.values("alt")[:1]), Value("")),
    "units_left": _UNITS_LEFT,
    "in_stock": GreaterThan(_UNITS_LEFT, 0),
    "dearest_amount": Coalesce(
        Subquery(
            Variant.objects.filter(product=OuterRef("pk"), active=True)
            .order_by("-price_amount")
            .values("price_amount")[:1]
        ),
        F("price_amount"),
    ),
}


def _below(slug: str, database: str) -> list[int]:
    """Ids of the shelf and of those below it: a literal list lets PostgreSQL use the index."""
    storable = wording.cleaned(slug)
    categories = Category.objects.using(database)
    path = categories.filter(slug=storable).values("path")[:1]
    return list(categories.filter(path__startswith=Subquery(path)).values_list("pk", flat=True))


def _matching(
    found: QuerySet[Product], text: str | None, database: str
) -> tuple[QuerySet[Product], CombinedSearchQuery | SearchQuery | None]:
    wanted = wording.cleaned(text)
    if not wanted:
        return found, None
    query = wording.query_for(wanted)
    # Whoever types an article number wants that article. Looked up first: as a subquery beside
    # the text search it would keep PostgreSQL from using either index.
    named = Variant.objects.using(database).filter(sku=wanted).values_list("product_id", flat=True)
    matching = found.filter(Q(search=query) | Q(pk__in=list(named)))
    if not matching.exists():
        corrected = wording.corrected_query_for(wanted, using=database)
        if corrected is not None:
            query, matching = corrected, found.filter(search=corrected)
    return matching, query


def _columns(ordering: str | None, *, is_ranked: bool) -> tuple[str, ...]:
    if ordering is not None and ordering not in ORDERINGS:
        raise UnknownOrdering(ordering)
    if ordering in (None, "relevance"):
        return ORDERINGS["relevance"] if is_ranked else SHOP_ORDER
    return ORDERINGS[ordering]


def _nest(rows: list[Category]) -> list[CategoryNode]:
    """Rows in path order; a row's children follow it with a longer path."""

    def below(parent: str, depth: int) -> tuple[CategoryNode, ...]:
        return tuple(
            CategoryNode(
                slug=row.slug,
                name=row.name,
                description=row.description,
                image=row.image,
                children=below(row.path, depth + 1),
            )
            for row in rows
            if row.depth == depth and row.path.startswith(parent)
        )

    return list(below("", 1))


def _read_detail(slug: str) -> ProductDetail | None:
    # From the primary: a replica that lags behind would put the page of before the change back
    # into the cache, for another five minutes.
    product = (
        Product.objects.filter(slug=slug, published=True)
        .select_related("category")
        .prefetch_related("options", "images")
        .defer("search")
        .first()
    )
    if product is None:
        return None
    shelf = product.category
    steps = [shelf.path[:end] for end in range(shelf.steplen, len(shelf.path) + 1, shelf.steplen)]
    trail = Category.objects.filter(path__in=steps).order_by("path").values_list("slug", "name")
    variants = list(Variant.objects.filter(product=product, active=True))
    skus = {variant.pk: variant.sku for variant in variants}
    rows = list(product.images.all())
    own_picture = {row.variant_id: row.path for row in reversed(rows) if row.variant_id}
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
        category=Crumb(slug=shelf.slug, name=shelf.name),
        trail=tuple(Crumb(slug=slug, name=name) for slug, name in trail),
        images=_gallery(rows, skus),
        options=tuple(
            OptionDetail(name=option.name, values=tuple(option.values))
            for option in product.options.all()
        ),
        variants=tuple(
            VariantDetail(
                id=variant.pk,
                sku=variant.sku,
                name=variant.name,
                options=variant.options,
                price_amount=variant.price_amount,
                compare_at_amount=variant.compare_at_amount,
                currency=variant.currency,
                weight_grams=variant.weight_grams,
                image=own_picture.get(variant.pk) or (rows[0].path if rows else PLACEHOLDER),
            )
            for variant in variants
        ),
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
