"""What is sold: a category tree, products, and their variants (each a SKU)."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now, Upper
from treebeard.mp_tree import MP_Node

from apps.catalog import limits
from apps.inventory.policy import Policy


class Category(MP_Node):
    """A category of products; categories form a tree."""

    name = models.CharField(max_length=limits.CATEGORY_NAME)
    slug = models.SlugField(max_length=limits.CATEGORY_SLUG, unique=True)
    caption = models.CharField(
        max_length=40, blank=True, db_default="", help_text="a few words above the name, or none"
    )
    description = models.TextField(blank=True)
    image = models.CharField(max_length=500, blank=True, help_text="static path or URL")

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """What has a page of its own. `price_amount` is the price of its cheapest active variant.

    Who may see it: publishing.py. `priced` is written by a trigger of the database: whether there
    is an active variant, and so a price. What code assigns to it has no effect.
    """

    slug = models.SlugField(max_length=limits.SLUG, unique=True)
    name = models.CharField(max_length=limits.NAME)
    description = models.TextField(blank=True, help_text="HTML, cleaned on the way in")
    vendor = models.CharField(max_length=limits.VENDOR, blank=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    tags = models.JSONField(default=list, blank=True)
    published = models.BooleanField(default=True)
    listed = models.BooleanField(
        default=True,
        db_default=True,
        help_text="in lists, search and sitemap; else reachable by its address alone",
    )
    priced = models.BooleanField(default=True, db_default=True, editable=False)
    gift_card = models.BooleanField(default=False, db_default=False, editable=False)
    featured = models.BooleanField(default=False)
    units_per_line = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="of one SKU in one order; empty: the shop's own limit",
    )
    units_per_order = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="of all its SKUs in one order; empty: the shop's own limit",
    )
    units_per_customer = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="in all orders of a customer; empty: the shop's own limit",
    )
    price_amount = models.BigIntegerField(default=0, editable=False)
    compare_at_amount = models.BigIntegerField(null=True, blank=True, editable=False)
    currency = models.CharField(max_length=3, default="USD", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    # Words of name, tags, description and vendor, folded: a trigger of the database writes them,
    # whoever saves the row. (The column `search` is of an earlier release and not read any more.)
    search = SearchVectorField(db_column="found_by", null=True, editable=False)

    class Meta:
        ordering = ["-featured", "name", "id"]
        indexes = [
            GinIndex(fields=["search"], name="product_found_by"),
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
            models.CheckConstraint(
                condition=~models.Q(gift_card=True, published=True),
                name="product_gift_card_not_published",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProductOption(models.Model):
    """A choice for the shopper, with its values in the order shown: Size: S, M, L."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="options")
    name = models.CharField(max_length=limits.OPTION_NAME)
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

    InventoryPolicy = Policy  # the stock engine's: what happens when the units on hand are sold

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants")
    sku = models.CharField(max_length=limits.SKU, unique=True)
    name = models.CharField(max_length=255, blank=True, help_text="options, e.g. Large / Moss")
    options = models.JSONField(default=dict, blank=True, help_text='{"Size": "Large"}')
    price_amount = models.BigIntegerField(help_text="minor units")
    compare_at_amount = models.BigIntegerField(null=True, blank=True, help_text="minor units")
    currency = models.CharField(max_length=3, default="USD")
    weight_grams = models.PositiveIntegerField(default=0)
    barcode = models.CharField(max_length=limits.BARCODE, blank=True)
    inventory_policy = models.CharField(
        "when none are left",
        max_length=10,
        choices=InventoryPolicy,
        default=InventoryPolicy.DENY,
        db_default=InventoryPolicy.DENY,
    )
    taxable = models.BooleanField(default=True)
    requires_shipping = models.BooleanField(default=True)
    active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)
    imported_quantity = models.IntegerField(
        null=True, blank=True, editable=False, help_text="what the last imported file counted"
    )

    class Meta:
        ordering = ["position", "id"]
        indexes = [
            # For search: without case, by prefix.
            models.Index(OpClass(Upper("sku"), name="text_pattern_ops"), name="variant_sku_upper"),
            models.Index(
                OpClass(Upper("barcode"), name="text_pattern_ops"), name="variant_barcode_upper"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_amount__gte=0), name="variant_price_not_negative"
            ),
            models.CheckConstraint(condition=~models.Q(sku=""), name="variant_sku_not_blank"),
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
    source_url = models.CharField(
        max_length=limits.PICTURE_URL, blank=True, help_text="where it was imported"
    )
    alt = models.CharField(max_length=limits.ALT, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt or self.path


class Synonym(models.Model):
    """Words for which a search finds other words, too; applied to what is typed."""

    words = models.CharField(
        max_length=500, help_text="what shoppers type, commas between: carafe, jug, pitcher"
    )
    also_finds = models.CharField(
        max_length=500,
        blank=True,
        db_default="",
        help_text="what these words find as well, commas between; empty: one another",
    )

    class Meta:
        ordering = ["words", "id"]

    def __str__(self) -> str:
        return f"{self.words} → {self.also_finds}" if self.also_finds else self.words
