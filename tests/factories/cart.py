"""Customers' carts. Guests' carts come from `carts.create_guest()`."""

import factory
from factory.django import DjangoModelFactory

from apps.cart.models import Cart, CartLine
from tests.factories.catalog import a_mug
from tests.factories.customers import UserFactory


class CartFactory(DjangoModelFactory):
    class Meta:
        model = Cart

    user = factory.SubFactory(UserFactory)


class CartLineFactory(DjangoModelFactory):
    class Meta:
        model = CartLine

    cart = factory.SubFactory(CartFactory)
    sku = factory.LazyFunction(lambda: a_mug().sku)
    quantity = 1
