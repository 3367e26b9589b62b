"""A promo's counter is updated in place."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("promos", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE promos_promo SET (fillfactor = 20);",
            "ALTER TABLE promos_promo RESET (fillfactor);",
        ),
    ]
