"""A trigger function for append-only tables. Each such table attaches it in its own migration."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only: write a correcting row', TG_TABLE_NAME;
            END $$;
            """,
            "DROP FUNCTION refuse_change();",
        ),
    ]
