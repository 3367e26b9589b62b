"""`priced` while two transactions change the variants of one product."""

import threading

import pytest
from django.db import connection, connections, transaction

from apps.catalog.models import Product, Variant
from tests.factories import a_mug

pytestmark = pytest.mark.django_db(transaction=True)

LOCK = "PERFORM 1 FROM catalog_product"


def definition() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('catalog_variants_changed'::regproc)")
        return str(cursor.fetchone()[0])


@pytest.fixture
def without_the_lock():
    """The trigger as it would be without its lock."""
    real = definition()
    start = real.index(LOCK)
    careless = real[:start] + real[real.index(";", start) + 1 :]
    with connection.cursor() as cursor:
        cursor.execute(careless)
        yield
        cursor.execute(real)


def one_comes_while_one_goes() -> bool:
    """One transaction adds a variant, another switches off the only other one. `priced` after."""
    old = a_mug(stock=None)
    has_added, is_done = threading.Event(), threading.Event()

    def add() -> None:
        with transaction.atomic():
            # bulk_create sends no signal, and so takes no other lock on the product.
            Variant.objects.bulk_create([Variant(product=old.product, sku="NEW", price_amount=1)])
            has_added.set()
            is_done.wait(timeout=1)  # the other one is done, or waits for this one
        connections.close_all()

    adding = threading.Thread(target=add)
    adding.start()
    assert has_added.wait(timeout=10)
    Variant.objects.filter(pk=old.pk).update(active=False)
    is_done.set()
    adding.join()
    return Product.objects.get().priced


def test_without_the_lock_a_product_with_a_variant_would_not_be_public(without_the_lock):
    assert one_comes_while_one_goes() is False


def test_a_variant_that_comes_while_the_last_one_goes_counts():
    assert one_comes_while_one_goes() is True
