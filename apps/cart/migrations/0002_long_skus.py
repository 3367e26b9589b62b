"""Room for SKUs of 255 characters."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cart", "0001_initial")]

    operations = [
        migrations.AlterField("cartline", "sku", models.CharField(max_length=255)),
    ]
