import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0003_return_url'),
    ]

    operations = [
        migrations.CreateModel(
            name='Discrepancy',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('no_payment', 'a charge without a payment'), ('second_charge', 'a second charge for a payment'), ('given_up', 'given up here, alive there'), ('other_terms', 'another amount or currency'), ('other_capture', 'another amount taken'), ('unknown_there', 'the gateway does not know it'), ('cancelled_there', 'taken here, cancelled there'), ('refunded_there', 'refunded there, by no refund of ours'), ('refund_lost', 'refunded here, not there'), ('disputed', 'disputed by the card holder')], max_length=20)),
                ('subject', models.CharField(help_text="the gateway's id of the payment, or ours when it has none", max_length=120)),
                ('why', models.CharField(max_length=255)),
                ('evidence', models.JSONField(default=dict, help_text='both sides as they were seen')),
                ('history', models.JSONField(default=list, help_text='what was done about it, oldest first')),
                ('tries', models.PositiveSmallIntegerField(default=0, help_text="how often its money was sent back; part of the gateway's key")),
                ('asked_at', models.DateTimeField(blank=True, help_text='when the gateway was last asked to give the money back', null=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('resolved', 'Resolved')], default='open', max_length=8)),
                ('resolution', models.CharField(blank=True, max_length=255)),
                ('resolved_by', models.CharField(blank=True, max_length=254)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name_plural': 'discrepancies',
            },
        ),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('scope', models.CharField(choices=[('open', 'Open'), ('recent', 'Recent'), ('all', 'All')], max_length=8, primary_key=True, serialize=False)),
                ('phase', models.CharField(choices=[('idle', 'Idle'), ('payments', 'Payments'), ('doubts', 'Doubts'), ('changed', 'Changed'), ('listed', 'Listed'), ('ours', 'Ours')], default='idle', max_length=8)),
                ('cursor', models.CharField(blank=True, help_text='the last one compared in this phase', max_length=120)),
                ('since', models.DateTimeField(blank=True, help_text='the listed span begins', null=True)),
                ('until', models.DateTimeField(blank=True, help_text='the listed span ends', null=True)),
                ('changed_since', models.DateTimeField(blank=True, help_text='changes up to here are known', null=True)),
                ('compared', models.PositiveIntegerField(default=0)),
                ('settled', models.PositiveIntegerField(default=0)),
                ('untold', models.JSONField(default=list, help_text='orders whose payment was settled and whose saga does not know yet')),
                ('failures', models.PositiveIntegerField(default=0, help_text='in a row')),
                ('error', models.CharField(blank=True, max_length=255)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, help_text='the last whole run', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='SeenIntent',
            fields=[
                ('intent_id', models.CharField(max_length=120, primary_key=True, serialize=False)),
            ],
        ),
        migrations.AddField(
            model_name='refund',
            name='generation',
            field=models.PositiveSmallIntegerField(db_default=1, default=1, help_text="part of the gateway's key; rises only when nothing was found there"),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status__in', ['created', 'requires_action', 'authorized'])), fields=['id'], name='payment_open'),
        ),
        migrations.AddField(
            model_name='discrepancy',
            name='payment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='payments.payment'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['last_seen_at'], name='discrepancy_open'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(fields=['asked_at'], name='discrepancy_asked'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(fields=('subject', 'kind'), name='one_discrepancy_per_kind'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolution', ''), ('resolved_at__isnull', True), ('resolved_by', ''), ('state', 'open')), models.Q(('resolved_at__isnull', False), ('state', 'resolved'), models.Q(('resolved_by', ''), _negated=True), models.Q(('resolution', ''), _negated=True)), _connector='OR'), name='discrepancy_open_or_resolved_by_somebody'),
        ),
    ]
