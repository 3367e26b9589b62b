"""A stock item knows whether its variant sells on, and only what does not is bound to what is there.

Expand only: the column has a default of the database. The release before this one goes on refusing
what is not there, which is the careful side.

`sells_on` is written by these triggers and by nothing else. Whatever code changes a variant (forms,
the importer, `QuerySet.update`, psql) or adds a stock item, the two agree at every commit. FOR SHARE
is needed because a stock item that is added while the policy changes would copy the old one, and
the change would not see the new row: the insert waits for the change, or the change for the insert.
"""

from django.db import migrations, models
from django.db.models import F, Q

TRIGGERS = """
CREATE FUNCTION inventory_copy_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT v.inventory_policy IN ('continue', 'untracked') INTO NEW.sells_on
    FROM catalog_variant v WHERE v.id = NEW.variant_id FOR SHARE;
    NEW.sells_on := coalesce(NEW.sells_on, false);  -- no such variant: the foreign key refuses it
    RETURN NEW;
END $$;
CREATE TRIGGER policy_of_variant BEFORE INSERT OR UPDATE OF sells_on, variant_id
    ON inventory_stockitem FOR EACH ROW EXECUTE FUNCTION inventory_copy_policy();

CREATE FUNCTION inventory_follow_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In ascending id, as everywhere: several warehouses and an order for them cannot deadlock.
    PERFORM 1 FROM inventory_stockitem s WHERE s.variant_id = NEW.id
        ORDER BY s.id FOR NO KEY UPDATE;
    -- The version tells the optimistic strategy that what it read is not so any more.
    UPDATE inventory_stockitem s SET sells_on = NOT s.sells_on, version = s.version + 1
    WHERE s.variant_id = NEW.id
      AND s.sells_on <> (NEW.inventory_policy IN ('continue', 'untracked'));
    RETURN NULL;
END $$;
CREATE TRIGGER policy_of_stock AFTER UPDATE OF inventory_policy ON catalog_variant FOR EACH ROW
    WHEN (OLD.inventory_policy IS DISTINCT FROM NEW.inventory_policy)
    EXECUTE FUNCTION inventory_follow_policy();
"""
NO_TRIGGERS = """
DROP TRIGGER policy_of_stock ON catalog_variant;
DROP FUNCTION inventory_follow_policy();
DROP TRIGGER policy_of_variant ON inventory_stockitem;
DROP FUNCTION inventory_copy_policy();
"""
# What the release before this one read and did not follow.
FILL = """
UPDATE inventory_stockitem s SET sells_on = true
FROM catalog_variant v WHERE v.id = s.variant_id AND v.inventory_policy IN ('continue', 'untracked');
"""
# Variants that are sold beyond what is there need a stock item to be sold from.
STOCK_ITEMS = """
INSERT INTO inventory_stockitem (warehouse_id, variant_id, on_hand, reserved, version)
SELECT w.id, v.id, 0, 0, 0
FROM catalog_variant v JOIN inventory_warehouse w ON w.is_default
WHERE v.inventory_policy IN ('continue', 'untracked')
  AND NOT EXISTS (SELECT FROM inventory_stockitem s WHERE s.variant_id = v.id);
"""
# A debt in an imported file was counted as 0. Now the next import counts it as what it is.
DEBTS = """
UPDATE catalog_variant SET imported_quantity = 0 WHERE imported_quantity < 0;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0001_initial"),
        ("catalog", "0002_publishing_and_limits"),
    ]

    operations = [
        migrations.AddField(
            "stockitem",
            "sells_on",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RemoveConstraint("stockitem", "stock_reserved_between_zero_and_on_hand"),
        migrations.AddConstraint(
            "stockitem",
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & (Q(reserved__lte=F("on_hand")) | Q(sells_on=True)),
                name="stock_reserved_between_zero_and_on_hand",
            ),
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
        migrations.RunSQL(STOCK_ITEMS, migrations.RunSQL.noop),
        migrations.RunSQL(DEBTS, migrations.RunSQL.noop),
    ]
