"""What may be published, what happens when none are left, and room for all that Shopify takes.

Expand only: every column is nullable or has a default of the database, texts become longer.

`priced` is written by triggers and by nothing else: whatever code adds, removes or switches off a
variant, and whatever a save of a product assigns, a product has `priced` exactly while it has an
active variant.

PostgreSQL changes no column that a generated one is computed from, not even its length. So `search`
is dropped and computed again around that, in this one transaction: some seconds for a hundred
thousand products, in which the product table is locked.
"""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

PRICED = """
CREATE FUNCTION catalog_product_priced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.priced := EXISTS (
        SELECT 1 FROM catalog_variant v WHERE v.product_id = NEW.id AND v.active
    );
    RETURN NEW;
END $$;
CREATE TRIGGER priced BEFORE INSERT OR UPDATE OF priced ON catalog_product
    FOR EACH ROW EXECUTE FUNCTION catalog_product_priced();

CREATE FUNCTION catalog_variants_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Locked first: otherwise one transaction that adds a variant and one that switches off the
    -- other would each miss the other's. Not FOR UPDATE, which foreign keys would wait for.
    PERFORM 1 FROM catalog_product WHERE id IN (SELECT product_id FROM changed)
        ORDER BY id FOR NO KEY UPDATE;
    UPDATE catalog_product p SET priced = NOT p.priced
    WHERE p.id IN (SELECT product_id FROM changed)
      AND p.priced <> EXISTS (
          SELECT 1 FROM catalog_variant v WHERE v.product_id = p.id AND v.active
      );
    RETURN NULL;
END $$;
CREATE TRIGGER priced_added AFTER INSERT ON catalog_variant
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_variants_changed();
CREATE TRIGGER priced_changed AFTER UPDATE ON catalog_variant
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_variants_changed();
CREATE TRIGGER priced_left AFTER UPDATE ON catalog_variant
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_variants_changed();
CREATE TRIGGER priced_removed AFTER DELETE ON catalog_variant
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_variants_changed();
"""
NOT_PRICED = """
DROP TRIGGER priced_removed ON catalog_variant;
DROP TRIGGER priced_left ON catalog_variant;
DROP TRIGGER priced_changed ON catalog_variant;
DROP TRIGGER priced_added ON catalog_variant;
DROP FUNCTION catalog_variants_changed();
DROP TRIGGER priced ON catalog_product;
DROP FUNCTION catalog_product_priced();
"""
FILL = """
UPDATE catalog_product p SET priced = false
WHERE NOT EXISTS (SELECT 1 FROM catalog_variant v WHERE v.product_id = p.id AND v.active);
"""
SEARCH = models.GeneratedField(
    db_persist=True,
    expression=django.contrib.postgres.search.CombinedSearchVector(
        django.contrib.postgres.search.CombinedSearchVector(
            django.contrib.postgres.search.SearchVector("name", config="english", weight="A"),
            "||",
            django.contrib.postgres.search.SearchVector(
                "vendor", "tags", config="english", weight="B"
            ),
            django.contrib.postgres.search.SearchConfig("english"),
        ),
        "||",
        django.contrib.postgres.search.SearchVector("description", config="english", weight="C"),
        django.contrib.postgres.search.SearchConfig("english"),
    ),
    output_field=django.contrib.postgres.search.SearchVectorField(),
)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.AddField(
            "product",
            "gift_card",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            "product",
            "listed",
            models.BooleanField(
                db_default=True,
                default=True,
                help_text="in lists, search and sitemap; else reachable by its address alone",
            ),
        ),
        migrations.AddField(
            "product",
            "priced",
            models.BooleanField(db_default=True, default=True, editable=False),
        ),
        migrations.AddField(
            "variant",
            "inventory_policy",
            models.CharField(
                "when none are left",
                max_length=10,
                choices=[
                    ("deny", "sold out"),
                    ("continue", "goes on selling"),
                    ("untracked", "not counted"),
                ],
                default="deny",
                db_default="deny",
            ),
        ),
        migrations.AlterField("category", "name", models.CharField(max_length=255)),
        migrations.AlterField("productimage", "alt", models.CharField(blank=True, max_length=512)),
        migrations.AlterField("productoption", "name", models.CharField(max_length=255)),
        migrations.AlterField("variant", "barcode", models.CharField(blank=True, max_length=255)),
        migrations.AlterField("variant", "sku", models.CharField(max_length=255, unique=True)),
        migrations.RemoveIndex("product", "product_search"),
        migrations.RemoveField("product", "search"),
        migrations.AlterField("product", "vendor", models.CharField(blank=True, max_length=255)),
        migrations.AddField("product", "search", SEARCH),
        migrations.AddIndex(
            "product",
            django.contrib.postgres.indexes.GinIndex(fields=["search"], name="product_search"),
        ),
        migrations.AddConstraint(
            "product",
            models.CheckConstraint(
                condition=models.Q(("gift_card", True), ("published", True), _negated=True),
                name="product_gift_card_not_published",
            ),
        ),
        migrations.AddConstraint(
            "variant",
            models.CheckConstraint(
                condition=models.Q(("sku", ""), _negated=True), name="variant_sku_not_blank"
            ),
        ),
        migrations.RunSQL(PRICED, NOT_PRICED),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
