"""Accounts and addresses; Alice, Bob and a clerk."""

from typing import Any

import factory
from factory.django import DjangoModelFactory

from apps.customers.models import Address, User

PASSWORD = "a-slow-morning-7"
ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
    "phone": "",
}


class UserFactory(DjangoModelFactory):
    """An account; its password is PASSWORD."""

    class Meta:
        model = User

    email = factory.Sequence("shopper-{}@example.com".format)
    name = factory.Sequence("Shopper {}".format)

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **fields: Any) -> User:
        email, password = fields.pop("email"), fields.pop("password", PASSWORD)
        return User.objects.create_user(email, password, **fields)


class StaffFactory(UserFactory):
    """Staff with every permission."""

    email = factory.Sequence("clerk-{}@kettleandpine.example".format)
    name = "The clerk"
    is_staff = True
    is_superuser = True


class AddressFactory(DjangoModelFactory):
    class Meta:
        model = Address

    user = factory.SubFactory(UserFactory)
    name = ADDRESS["name"]
    line1 = ADDRESS["line1"]
    city = ADDRESS["city"]
    region = ADDRESS["region"]
    postal_code = ADDRESS["postal_code"]
    country = ADDRESS["country"]


def make_alice(**fields: Any) -> User:
    return UserFactory(**{"email": "alice@example.com", "name": "Alice Archer"} | fields)


def make_bob(**fields: Any) -> User:
    return UserFactory(**{"email": "bob@example.com", "name": "Bob Baker"} | fields)


def make_clerk(**fields: Any) -> User:
    """Staff with every permission."""
    return StaffFactory(**{"email": "clerk@kettleandpine.example"} | fields)
