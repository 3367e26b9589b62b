"""Room for SKUs of 255 characters, and for the name of a product with that of its variant."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_lines_keep_discount_and_tax")]

    operations = [
        migrations.AlterField("orderline", "sku", models.CharField(max_length=255)),
        migrations.AlterField("orderline", "name", models.CharField(max_length=600)),
    ]
