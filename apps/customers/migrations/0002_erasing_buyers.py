"""The right to erase a buyer; and texts of append-only rows may lose an erased person."""

from django.db import migrations

TRIGGER = """
    CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        texts CONSTANT text[] := ARRAY['actor', 'message', 'next_action', 'reason', 'subject'];
    BEGIN
        -- core/append_only.py: only these texts, only while a person is erased.
        IF TG_OP = 'UPDATE' AND current_setting('storefront.erasing', true) = 'on'
           AND to_jsonb(NEW) - texts = to_jsonb(OLD) - texts THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION '% is append-only: write a correcting row', TG_TABLE_NAME;
    END $$;
"""
BEFORE = """
    CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: write a correcting row', TG_TABLE_NAME;
    END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial"), ("core", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="user", options={"permissions": [("erase_user", "Can erase buyers")]}
        ),
        migrations.RunSQL(TRIGGER, BEFORE),
    ]
