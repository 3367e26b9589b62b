"""The factories keep the books: what they make adds up."""

import inspect

import pytest
from django.db.models import Sum
from factory.django import DjangoModelFactory

from apps.catalog.models import Category
from apps.inventory import stock
from apps.inventory.models import Hold, StockItem, StockMovement
from tests import factories

pytestmark = pytest.mark.django_db

FACTORIES = [
    made
    for _name, made in inspect.getmembers(factories, inspect.isclass)
    if issubclass(made, DjangoModelFactory) and made is not DjangoModelFactory
]


@pytest.mark.parametrize("make", FACTORIES, ids=lambda made: made.__name__)
def test_every_factory_makes_a_row(make):
    made = make()

    assert type(made).objects.filter(pk=made.pk).exists()


def test_shelves_come_with_a_ledger_that_adds_up():
    factories.a_mug(stock=7)
    factories.held_mug(stock=2)
    factories.HoldFactory(quantity=3)

    for item in StockItem.objects.all():
        movements = StockMovement.objects.filter(stock_item=item)
        held = Hold.objects.filter(stock_item=item, state=Hold.State.ACTIVE)
        assert movements.aggregate(units=Sum("quantity"))["units"] == item.on_hand
        assert (held.aggregate(units=Sum("quantity"))["units"] or 0) == item.reserved


def test_held_and_sold_out_mugs_have_nothing_for_sale():
    held, sold_out, plenty = factories.held_mug(), factories.sold_out_mug(), factories.a_mug()

    assert stock.availability([held.sku, sold_out.sku, plenty.sku]) == {
        held.sku: 0,
        sold_out.sku: 0,
        plenty.sku: 10,
    }


def test_a_redemption_is_counted_in_its_promo():
    redemption = factories.RedemptionFactory()

    assert redemption.promo.used == 1


def test_shelves_nest():
    kitchen = factories.CategoryFactory(name="Kitchen")
    mugs = factories.CategoryFactory(name="Mugs", parent=kitchen)

    assert Category.objects.get_parent(mugs) == kitchen
