"""Search finds tags too; lists in the shop's order come from an index; imports remember counts."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='variant',
            name='imported_quantity',
            field=models.IntegerField(blank=True, editable=False, help_text='what the last imported file counted', null=True),
        ),
        # A generated column cannot be altered; it is made anew, and nothing in it is original.
        migrations.RemoveIndex(model_name='product', name='product_search'),
        migrations.RemoveField(model_name='product', name='search'),
        migrations.AddField(
            model_name='product',
            name='search',
            field=models.GeneratedField(db_persist=True, expression=django.contrib.postgres.search.CombinedSearchVector(django.contrib.postgres.search.CombinedSearchVector(django.contrib.postgres.search.SearchVector('name', config='english', weight='A'), '||', django.contrib.postgres.search.SearchVector('vendor', 'tags', config='english', weight='B'), django.contrib.postgres.search.SearchConfig('english')), '||', django.contrib.postgres.search.SearchVector('description', config='english', weight='C'), django.contrib.postgres.search.SearchConfig('english')), output_field=django.contrib.postgres.search.SearchVectorField()),
        ),
        migrations.AddIndex(
            model_name='product',
            index=django.contrib.postgres.indexes.GinIndex(fields=['search'], name='product_search'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('published', True)), fields=['-featured', 'name', 'id'], name='product_shop_order'),
        ),
    ]
