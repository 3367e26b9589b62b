"""The ledger is append-only, and the scarce rows leave room for updates in place (HOT)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]
    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only: write a correcting row', TG_TABLE_NAME;
            END $$;
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON inventory_stockmovement
                FOR EACH ROW EXECUTE FUNCTION refuse_change();
            """,
            """
            DROP TRIGGER append_only ON inventory_stockmovement;
            DROP FUNCTION refuse_change();
            """,
        ),
        migrations.RunSQL(
            "ALTER TABLE inventory_stockitem SET (fillfactor = 20);"
            "ALTER TABLE inventory_hold SET (fillfactor = 80);",
            "ALTER TABLE inventory_stockitem RESET (fillfactor);"
            "ALTER TABLE inventory_hold RESET (fillfactor);",
        ),
    ]
