"""What the shop sells: a category tree, products, and their variants (each a SKU)."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models.functions import Now
from treebeard.mp_tree import MP_Node


class Category(MP_Node):
    """A shelf; shelves nest."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=140, unique=True)
    description = models.TextField(blank=True)
    image = models.CharField(max_length=500, blank=True, help_text="static path or URL")

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """A thing with a page of its own. `price_amount` is its cheapest active variant's price."""

    slug = models.SlugField(max_length=255, unique=True)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, help_text="HTML, cleaned on the way in")
    vendor = models.CharField(max_length=120, blank=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    tags = models.JSONField(default=list, blank=True)
    published = models.BooleanField(default=True)
    featured = models.BooleanField(default=False)
    price_amount = models.BigIntegerField(default=0, editable=False)
    compare_at_amount = models.BigIntegerField(null=True, blank=True, editable=False)
    currency = models.CharField(max_length=3, default="USD", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    search = models.GeneratedField(
        expression=SearchVector("name", weight="A", config="english")
        + SearchVector("vendor", "tags", weight="B", config="english")
        + SearchVector("description", weight="C", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        ordering = ["-featured", "name", "id"]
        indexes = [
            GinIndex(fields=["search"], name="product_search"),
            models.Index(fields=["price_amount", "id"], name="product_price"),
            models.Index(fields=["-created_at", "-id"], name="product_newest"),
            models.Index(fields=["name", "id"], name="product_name"),
            models.Index(
                fields=["-featured", "name", "id"],
                condition=models.Q(published=True),
                name="product_shop_order",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_amount__gte=0), name="product_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProductOption(models.Model):
    """A choice the shopper makes, in the shop's order: Size: S, M, L."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="options")
    name = models.CharField(max_length=80)
    values = models.JSONField(default=list)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "name"], name="one_option_per_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One SKU: what is priced, stocked, and put into carts."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants")
    sku = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=255, blank=True, help_text="options, e.g. Large / Moss")
    options = models.JSONField(default=dict, blank=True, help_text='{"Size": "Large"}')
    price_amount = models.BigIntegerField(help_text="minor units")
    compare_at_amount = models.BigIntegerField(null=True, blank=True, help_text="minor units")
    currency = models.CharField(max_length=3, default="USD")
    weight_grams = models.PositiveIntegerField(default=0)
    barcode = models.CharField(max_length=80, blank=True)
    taxable = models.BooleanField(default=True)
    requires_shipping = models.BooleanField(default=True)
    active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)
    imported_quantity = models.IntegerField(
        null=True, blank=True, editable=False, help_text="what the last imported file counted"
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_amount__gte=0), name="variant_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product.name} · {self.name}" if self.name else self.product.name


class ProductImage(models.Model):
    """A picture: a path below /static/ or /media/."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="images")
    variant = models.ForeignKey(
        Variant, on_delete=models.SET_NULL, null=True, blank=True, related_name="images"
    )
    path = models.CharField(max_length=500, help_text="URL path, e.g. /static/demo/mug.svg")
    source_url = models.CharField(max_length=1000, blank=True, help_text="where it was imported")
    alt = models.CharField(max_length=255, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt or self.path
