"""A customer's address book; address_rules.py has the rules for every address in the shop.

Orders keep their own copy of an address, so changes here never reach an order.

The first address of a book is its default; when the default is deleted, the oldest of the rest
becomes it. So a book with addresses always has exactly one default. Every change locks the
customer's row first: otherwise two tabs that set different defaults would violate the unique
constraint.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.customers.address_rules import FIELDS, clean_address
from apps.customers.errors import (
    AddressBookFull,
    AddressInvalid,
    AddressNotFound,
    FieldError,
)
from apps.customers.models import Address, User

__all__ = [
    "FIELDS",
    "AddressBookFull",
    "AddressInvalid",
    "AddressNotFound",
    "FieldError",
    "as_dict",
    "clean_address",
    "create",
    "delete",
    "find",
    "list_addresses",
    "set_default",
    "update",
]

ADDRESSES_MAX = 50


def as_dict(address: Address) -> dict[str, str]:
    """An entry of the book in the shape of `clean_address`."""
    return {name: getattr(address, name) for name in FIELDS}


def list_addresses(user: User) -> list[Address]:
    """The customer's book, the default first."""
    return list(Address.objects.filter(user=user))


def find(user: User, address_id: int) -> Address:
    """One entry; raises `AddressNotFound`, also for another customer's."""
    address = Address.objects.filter(user=user, pk=address_id).first()
    if address is None:
        raise AddressNotFound
    return address


def create(user: User, data: Mapping[str, Any], *, make_default: bool = False) -> Address:
    """Add an entry. Raises `AddressInvalid`, `AddressBookFull`."""
    clean = clean_address(data)
    with transaction.atomic():
        _lock_book(user)
        known = list(Address.objects.filter(user=user).values_list("is_default", flat=True))
        if len(known) >= ADDRESSES_MAX:
            raise AddressBookFull(ADDRESSES_MAX)
        address = Address.objects.create(user=user, **clean)
        if make_default or not any(known):
            _make_default(address)
    return address


def update(
    user: User, address_id: int, data: Mapping[str, Any], *, make_default: bool = False
) -> Address:
    """Replace an entry's fields; those absent from `data` keep their value.

    The result is checked as a whole. Raises `AddressNotFound`, `AddressInvalid`.
    """
    with transaction.atomic():
        _lock_book(user)
        address = find(user, address_id)
        for name, value in clean_address(as_dict(address) | dict(data)).items():
            setattr(address, name, value)
        address.save(update_fields=FIELDS)
        if make_default:
            _make_default(address)
    return address


def delete(user: User, address_id: int) -> None:
    """Delete an entry. Raises `AddressNotFound`."""
    with transaction.atomic():
        _lock_book(user)
        address = find(user, address_id)
        address.delete()
        oldest = Address.objects.filter(user=user).order_by("pk").first()
        if address.is_default and oldest is not None:
            _make_default(oldest)


def set_default(user: User, address_id: int) -> Address:
    """Make an entry the default. Raises `AddressNotFound`."""
    with transaction.atomic():
        _lock_book(user)
        address = find(user, address_id)
        _make_default(address)
    return address


def _lock_book(user: User) -> None:
    # NO KEY: inserting an order or session of this customer meanwhile does not wait.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _make_default(address: Address) -> None:
    """Needs the lock of the book: no transaction commits two defaults, or none."""
    Address.objects.filter(user_id=address.user_id, is_default=True).update(is_default=False)
    Address.objects.filter(pk=address.pk).update(is_default=True)
    address.is_default = True
