"""Lines keep their own discount and tax, orders the tax of shipping, returns their number.

All columns are nullable: the release before writes orders without them while both run. Its rows
stay null for good, and paid.py reads them. The new checks are not validated: no row that is here
has a value they could refuse, and validating would read every order under a lock.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="shipping_tax_amount",
            field=models.BigIntegerField(
                blank=True, help_text="the part of tax_amount that is for shipping", null=True
            ),
        ),
        migrations.AddField(
            model_name="orderline",
            name="discount_amount",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="orderline",
            name="tax_amount",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="return",
            name="sequence",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="which return of the order it is, from 1", null=True
            ),
        ),
        migrations.AddField(
            model_name="returnline",
            name="refund_amount",
            field=models.BigIntegerField(
                blank=True,
                help_text="what was paid for these units, as owed at their receipt",
                null=True,
            ),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("shipping_tax_amount__gte", 0),
                    ("shipping_tax_amount__lte", models.F("tax_amount")),
                ),
                name="order_shipping_tax_within_tax",
            ),
        ),
        AddConstraintNotValid(
            model_name="orderline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("discount_amount__isnull", True), ("tax_amount__isnull", True)),
                    models.Q(
                        ("discount_amount__gte", 0),
                        ("discount_amount__isnull", False),
                        ("discount_amount__lte", models.F("line_amount")),
                        ("tax_amount__gte", 0),
                        ("tax_amount__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="line_discount_and_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.UniqueConstraint(
                fields=("order", "sequence"), name="one_return_per_order_and_sequence"
            ),
        ),
        AddConstraintNotValid(
            model_name="returnline",
            constraint=models.CheckConstraint(
                condition=models.Q(("refund_amount__gte", 0)), name="return_refund_not_negative"
            ),
        ),
    ]
