"""Fills the words that products are found by, a thousand rows a transaction, and indexes them.

Each step may be repeated: killed half-way, the migration runs again from its beginning.
"""

from typing import Any

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Upper

BATCH = 1000


def fill(apps: Any, schema_editor: Any) -> None:
    products = apps.get_model("catalog", "Product").objects.using(schema_editor.connection.alias)
    empty = products.filter(search=None).order_by("pk").values_list("pk", flat=True)
    last = 0
    while batch := list(empty.filter(pk__gt=last)[:BATCH]):
        # The trigger computes the words of a row that has none, whatever is written of it.
        products.filter(pk__in=batch).update(search=None)
        last = batch[-1]


def made_without_locks(model: str, index: models.Index) -> list[Any]:
    """An index whose making was cut short lies there, invalid: it goes first."""
    drop = f'DROP INDEX CONCURRENTLY IF EXISTS "{index.name}"'
    return [migrations.RunSQL(drop, migrations.RunSQL.noop), AddIndexConcurrently(model, index)]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("catalog", "0003_search")]

    operations = [
        # An index of many rows takes longer than any statement of a web process may.
        migrations.RunSQL("SET statement_timeout = 0", "SET statement_timeout = 0"),
        migrations.RunPython(fill, migrations.RunPython.noop),
        *made_without_locks("product", GinIndex(fields=["search"], name="product_found_by")),
        *made_without_locks(
            "variant",
            models.Index(OpClass(Upper("sku"), name="text_pattern_ops"), name="variant_sku_upper"),
        ),
        *made_without_locks(
            "variant",
            models.Index(
                OpClass(Upper("barcode"), name="text_pattern_ops"), name="variant_barcode_upper"
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", "RESET statement_timeout"),
    ]
