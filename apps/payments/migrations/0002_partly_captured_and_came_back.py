from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="came_back_at",
            field=models.DateTimeField(
                blank=True,
                help_text="when the gateway said that a refund which had succeeded failed after all",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="status",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("requires_action", "Requires Action"),
                    ("authorized", "Authorized"),
                    ("partly_captured", "Partly Captured"),
                    ("captured", "Captured"),
                    ("failed", "Failed"),
                    ("voided", "Voided"),
                    ("refunded", "Refunded"),
                ],
                default="created",
                max_length=16,
            ),
        ),
    ]
