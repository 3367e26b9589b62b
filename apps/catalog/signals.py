"""What holds after every save: by import, seed, admin or shell.

- A product's description is cleaned HTML.
- A product's price is that of its cheapest active variant.
- A cached page is dropped after the commit that changed what it shows.
- A variant that is sold beyond what is there has a stock item to be sold from.

`QuerySet.update` and `bulk_create` send no signals: code that uses them on the catalog must
call `services.refresh_price` and `services.drop_page` itself.
"""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from apps.catalog import cache, services
from apps.catalog.html import clean_html
from apps.catalog.models import Category, Product, ProductImage, ProductOption, Synonym, Variant
from apps.inventory import switching


@receiver(pre_save, sender=Product)
def clean_description(instance: Product, raw: bool = False, **_: Any) -> None:
    if not raw:
        instance.description = clean_html(instance.description)


@receiver(pre_save, sender=Product)
def drop_page_under_old_slug(instance: Product, using: str, **_: Any) -> None:
    # Otherwise a renamed product would be shown under its old address for five minutes.
    if instance._state.adding:
        return
    old = Product.objects.using(using).filter(pk=instance.pk).exclude(slug=instance.slug)
    for slug in old.values_list("slug", flat=True):
        services.drop_page(slug, using=using)


@receiver(post_save, sender=Product)
def keep_price_of_product(instance: Product, raw: bool = False, **_: Any) -> None:
    # An instance that was read before its variants changed would write its old price back.
    if not raw:
        services.refresh_price(instance)


@receiver([post_save, post_delete], sender=Product)
def drop_page_of_product(instance: Product, using: str, **_: Any) -> None:
    services.drop_page(instance.slug, using=using)


@receiver([post_save, post_delete], sender=Variant)
def keep_price_of_variant(instance: Variant, raw: bool = False, **_: Any) -> None:
    if raw:
        return
    if Variant.product.is_cached(instance):
        services.refresh_price(instance.product)
    else:
        product = Product.objects.filter(pk=instance.product_id).first()
        if product is not None:
            services.refresh_price(product)


@receiver(post_save, sender=Variant)
def keep_sellable(instance: Variant, raw: bool = False, **_: Any) -> None:
    if not raw:
        switching.keep_sellable(instance.pk, instance.inventory_policy)


@receiver([post_save, post_delete], sender=Variant)
@receiver([post_save, post_delete], sender=ProductOption)
@receiver([post_save, post_delete], sender=ProductImage)
def drop_page_of_part(
    instance: Variant | ProductOption | ProductImage, using: str, **_: Any
) -> None:
    # The slug in the database, not of a product in memory, which may be renamed and not yet saved.
    owner = Product.objects.using(using).filter(pk=instance.product_id)
    for slug in owner.values_list("slug", flat=True):
        services.drop_page(slug, using=using)


@receiver([post_save, post_delete], sender=Category)
def drop_every_page(using: str, **_: Any) -> None:
    # Each product's page shows the names of its categories.
    transaction.on_commit(cache.forget_everything, using=using, robust=True)


@receiver([post_save, post_delete], sender=Synonym)
def forget_synonyms(using: str, **_: Any) -> None:
    # What was found with the old ones, too: the numbers beside a list are kept for a minute.
    transaction.on_commit(cache.forget_everything, using=using, robust=True)
