"""The sequence behind order numbers; events are append-only; saga rows are updated in place."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial"), ("inventory", "0002_ledger_and_hot_rows")]
    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE orders_number AS bigint;", "DROP SEQUENCE orders_number;"
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE ON orders_orderevent"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change();",
            "DROP TRIGGER append_only ON orders_orderevent;",
        ),
        migrations.RunSQL(
            "ALTER TABLE orders_order SET (fillfactor = 70);"
            "ALTER TABLE orders_saga SET (fillfactor = 50);",
            "ALTER TABLE orders_order RESET (fillfactor); ALTER TABLE orders_saga RESET (fillfactor);",
        ),
    ]
