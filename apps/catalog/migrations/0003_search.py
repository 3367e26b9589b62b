"""What a product is found by: folded words, in a column that a trigger keeps.

Nothing here reads or writes a row: 0004 fills the column in batches and indexes it. The generated
column of 0001 (`search`) stays for a release that still runs; a later migration drops it.

The functions have bodies of SQL (BEGIN ATOMIC), whose names are resolved when they are made: one
that resolved `catalog_folded` when it runs would fail while a dump is restored, because
pg_restore empties search_path.
"""

import django.contrib.postgres.search
from django.db import migrations, models

# The same as apps/catalog/search/folding.py; tests/catalog/test_search_folding.py compares them.
FOLDED = r"""
CREATE FUNCTION catalog_folded(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
SELECT btrim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    replace(replace(replace(replace(translate(lower(
        normalize(regexp_replace(normalize(translate(value, '™®©℠', '    '), NFKD),
            '[\u0300-\u036f''’‘ʼ`\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]', '', 'g'), NFKC)),
        'ÆŒØŁĐÞÐŊĦẞøłđðŋħıςΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЄІЂЈЉЊЋЏҐ',
        'æœoldþdnhßolddnhiσαβγδεζηθικλμνξοπρστυφχψωабвгдежзиклмнопрстуфхцчшщъыьэюяєіђјљњћџґ'),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
    '[^0-9a-z\u00df-\u00f6\u00f8-\u1fff\u2c00-\u2dff\u2e80-\u2fff\u3005-\u3007\u3041-\u30fa\u30fc-\ud7ff\uf900-\ufdff\ufe70-\ufefc\U00020000-\U0003ffff]+',
    ' ', 'g'),
    '([\u2e80-\u2fff\u3005-\u3007\u3041-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff])', ' \1 ', 'g'),
    '(^| )([0-9]+)([a-z]+)(?= |$)', '\1\2 \3', 'g'),
    ' +', ' ', 'g'));
END
"""

# "Pour-over" is also typed "pourover", "Kännchen" also "Kaennchen".
OTHER_SPELLINGS = r"""
CREATE FUNCTION catalog_other_spellings(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
SELECT CASE WHEN value ~ '[^\s][-‐‑][^\s]'
    THEN catalog_folded(regexp_replace(value, '([^\s])[-‐‑](?=[^\s])', '\1', 'g')) ELSE '' END
|| ' ' ||
CASE WHEN normalize(value, NFC) ~ '[äöüÄÖÜ]' THEN catalog_folded(
    replace(replace(replace(translate(normalize(value, NFC), 'ÄÖÜ', 'äöü'),
        'ä', 'ae'), 'ö', 'oe'), 'ü', 'ue')) ELSE '' END;
END
"""

# A: the name, B: tags, C: the description, D: who makes it. Whole words beside the stems, so that
# "not for all" and names in other languages are found; of a description the stems suffice. A word
# that nobody can type stands between the parts, or a phrase would be found across their border.
# Words of the vendor are marked (qzx, which begins no word): a search can leave them out without
# looking at every product of that vendor, as it would have to by weight.
FOUND_BY = r"""
CREATE FUNCTION catalog_found_by(name text, vendor text, tags jsonb, description text)
RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
SELECT setweight(to_tsvector('pg_catalog.simple'::regconfig, catalog_folded(name)), 'A')
    || $$'|':1$$::tsvector
    || setweight(to_tsvector('pg_catalog.english'::regconfig, catalog_folded(name)), 'A')
    || $$'|':1$$::tsvector
    || setweight(to_tsvector('pg_catalog.simple'::regconfig, catalog_other_spellings(name)), 'A')
    || $$'|':1$$::tsvector
    || setweight(to_tsvector('pg_catalog.simple'::regconfig, catalog_folded(tags::text)), 'B')
    || $$'|':1$$::tsvector
    || setweight(to_tsvector('pg_catalog.english'::regconfig, catalog_folded(tags::text)), 'B')
    || $$'|':1$$::tsvector
    || setweight(to_tsvector('pg_catalog.english'::regconfig, catalog_folded(
        regexp_replace(description, '<[^>]*>|&#?[0-9a-zA-Z]+;', ' ', 'g'))), 'C')
    || $$'|':1$$::tsvector
    || setweight(to_tsvector('pg_catalog.simple'::regconfig,
        regexp_replace(catalog_folded(vendor), '([^ ]+)', 'qzx\1', 'g')), 'D');
END
"""

# Any writer, the release before this one included, keeps the column right. What did not change is
# not computed again. No list of columns (UPDATE OF): their types could not be altered any more.
TRIGGER = """
CREATE FUNCTION catalog_keep_found_by() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.found_by IS NOT NULL
        AND (NEW.name, NEW.vendor, NEW.tags, NEW.description)
            IS NOT DISTINCT FROM (OLD.name, OLD.vendor, OLD.tags, OLD.description)
    THEN
        NEW.found_by := OLD.found_by;
    ELSE
        NEW.found_by := catalog_found_by(NEW.name, NEW.vendor, NEW.tags, NEW.description);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_found_by BEFORE INSERT OR UPDATE ON catalog_product
FOR EACH ROW EXECUTE FUNCTION catalog_keep_found_by();
"""

UNDO_TRIGGER = """
DROP TRIGGER keep_found_by ON catalog_product;
DROP FUNCTION catalog_keep_found_by();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_publishing_and_limits")]

    operations = [
        migrations.RunSQL(FOLDED, "DROP FUNCTION catalog_folded(text)"),
        migrations.RunSQL(OTHER_SPELLINGS, "DROP FUNCTION catalog_other_spellings(text)"),
        migrations.RunSQL(FOUND_BY, "DROP FUNCTION catalog_found_by(text, text, jsonb, text)"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("product", "product_search"),
                migrations.RemoveField("product", "search"),
            ],
        ),
        migrations.AddField(
            "product",
            "search",
            django.contrib.postgres.search.SearchVectorField(
                db_column="found_by", editable=False, null=True
            ),
        ),
        migrations.RunSQL(TRIGGER, UNDO_TRIGGER),
        migrations.CreateModel(
            name="Synonym",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "words",
                    models.CharField(
                        help_text="what shoppers type, commas between: carafe, jug, pitcher",
                        max_length=500,
                    ),
                ),
                (
                    "also_finds",
                    models.CharField(
                        blank=True,
                        db_default="",
                        help_text="what these words find as well, commas between; empty: one another",
                        max_length=500,
                    ),
                ),
            ],
            options={"ordering": ["words", "id"]},
        ),
    ]
