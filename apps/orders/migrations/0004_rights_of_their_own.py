"""A right of its own for each action on an order; returns refused, accepted in part, damaged.

Who could change orders or returns before keeps what they could do, but for sending money back: a
paid order is cancelled with the right to refund as well. The old rights stay, because the release
before still asks for them while both run.
"""

from django.db import migrations, models
from django.db.models import F, Q

BEFORE = (
    ("order", "change_order", "ship_order", "Can hand orders to the carrier and mark them delivered"),
    ("order", "change_order", "cancel_order", "Can cancel orders"),
    ("return", "change_return", "receive_return", "Can receive returns and refuse them"),
)


def give(apps, schema_editor):
    """Give the new rights to the roles and accounts that have the old ones."""
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for model, old, new, name in BEFORE:
        had = Permission.objects.filter(
            content_type__app_label="orders", content_type__model=model, codename=old
        ).first()
        if had is None:
            continue  # a new database: Django makes all permissions after the migrations
        kind = ContentType.objects.get(app_label="orders", model=model)
        right, _made = Permission.objects.get_or_create(
            content_type=kind, codename=new, defaults={"name": name}
        )
        for role in had.group_set.all():
            role.permissions.add(right)
        for user in had.user_set.all():
            user.user_permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_long_skus"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("customers", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="order",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("ship_order", "Can hand orders to the carrier and mark them delivered"),
                    ("cancel_order", "Can cancel orders"),
                ],
            },
        ),
        migrations.AlterModelOptions(
            name="return",
            options={"permissions": [("receive_return", "Can receive returns and refuse them")]},
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="return",
            name="state",
            field=models.CharField(
                choices=[
                    ("requested", "Requested"),
                    ("received", "Received"),
                    ("refused", "Refused"),
                ],
                default="requested",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="return",
            name="refused_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="return",
            name="answer",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="what the shopper is told: why it is refused, or accepted in part",
                max_length=300,
            ),
        ),
        migrations.AddField(
            model_name="returnline",
            name="accepted",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="returnline",
            name="damaged",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="returnline",
            constraint=models.CheckConstraint(
                condition=Q(accepted__isnull=True, damaged=0)
                | Q(accepted__lte=F("quantity"), damaged__lte=F("accepted")),
                name="return_accepted_and_damaged",
            ),
        ),
    ]
