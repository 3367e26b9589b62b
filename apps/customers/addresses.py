"""A customer's address book, and what an address must look like anywhere in the shop.

`clean_address` is the one check: the API, the checkout page and the book all call it. Orders keep
their own copy of an address, so changes here never reach an order.

The first address of a book is its default, and a default that is deleted is succeeded by the
oldest of the rest: a book with addresses always has exactly one. Every change locks the customer's
row first; two tabs that set different defaults would else meet in the unique constraint.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.customers import countries
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


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    max_length: int
    required: bool


_FIELDS = (
    _Field("name", 120, required=True),
    _Field("line1", 200, required=True),
    _Field("line2", 200, required=False),
    _Field("city", 100, required=True),
    _Field("region", 100, required=False),
    _Field("postal_code", 20, required=False),
    _Field("country", 2, required=True),
    _Field("phone", 40, required=False),
)
FIELDS = tuple(field.name for field in _FIELDS)

_LINE_BREAKS_AND_TABS = "\t\n\r"
# Overrides of the writing direction: with them a parcel's label reads otherwise than our page.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PHONE = frozenset("0123456789+()-./# x")


def clean_address(data: Mapping[str, Any]) -> dict[str, str]:
    """The address in `data` with exactly the keys of `FIELDS`, all strings; "" where absent.

    Whitespace is trimmed and runs of it become one space; unicode is NFC; the country is an ISO
    code in capitals. Other keys are left out. Raises `AddressInvalid` with every field at fault;
    codes: `required`, `invalid`, `max_length`, `unknown_country`.
    """
    clean: dict[str, str] = {}
    errors: list[FieldError] = []
    for field in _FIELDS:
        try:
            clean[field.name] = _clean_text(field, data.get(field.name))
        except AddressInvalid as refused:
            errors += refused.errors
    country = clean.get("country", "")
    if country:
        country = clean["country"] = country.upper()
        if country not in countries.names():
            errors.append(FieldError("country", "unknown_country", "Choose a country."))
    if country in countries.REGION_REQUIRED and clean.get("region") == "":
        errors.append(FieldError("region", "required", "Enter the state or province."))
    if (
        country in countries.names()
        and country not in countries.WITHOUT_POSTAL_CODE
        and clean.get("postal_code") == ""
    ):
        errors.append(FieldError("postal_code", "required", "Enter the postal code."))
    if not _is_phone(clean.get("phone", "")):
        errors.append(
            FieldError("phone", "invalid", "Enter a telephone number, or leave it empty.")
        )
    if errors:
        raise AddressInvalid(sorted(errors, key=lambda error: FIELDS.index(error.field)))
    return clean


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
    """Take an entry out. Raises `AddressNotFound`."""
    with transaction.atomic():
        _lock_book(user)
        address = find(user, address_id)
        address.delete()
        heir = Address.objects.filter(user=user).order_by("pk").first()
        if address.is_default and heir is not None:
            _make_default(heir)


def set_default(user: User, address_id: int) -> Address:
    """Make an entry the default. Raises `AddressNotFound`."""
    with transaction.atomic():
        _lock_book(user)
        address = find(user, address_id)
        _make_default(address)
    return address


def _clean_text(field: _Field, value: object) -> str:
    if value is None:
        value = ""
    if not isinstance(value, str) or _has_forbidden(value):
        raise _refused(field, "invalid", "Use letters, digits and punctuation only.")
    text = " ".join(unicodedata.normalize("NFC", value).split())
    if len(text) > field.max_length:
        if field.name == "country":
            raise _refused(field, "unknown_country", "Choose a country.")
        raise _refused(field, "max_length", f"Use at most {field.max_length} characters.")
    if field.required and not any(character.isalnum() for character in text):
        if text:
            raise _refused(field, "invalid", "This needs a letter or a digit.")
        raise _refused(field, "required", "This field is needed.")
    return text


def _has_forbidden(value: str) -> bool:
    """Control characters (NUL would break the database), half characters, direction overrides."""
    if value.isascii() and value.isprintable():
        return False  # the usual case, without looking at each character
    return any(
        character in _DIRECTION
        or (
            unicodedata.category(character) in ("Cc", "Cs")
            and character not in _LINE_BREAKS_AND_TABS
        )
        for character in value
    )


def _is_phone(text: str) -> bool:
    if not text:
        return True
    digits = sum(character in "0123456789" for character in text)
    return set(text.lower()) <= _PHONE and 5 <= digits <= 20


def _refused(field: _Field, code: str, message: str) -> AddressInvalid:
    return AddressInvalid([FieldError(field.name, code, message)])


def _lock_book(user: User) -> None:
    # NO KEY: an order or session that refers to the customer meanwhile need not wait.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _make_default(address: Address) -> None:
    """Inside the lock of the book: no moment with two defaults, none with none that commits."""
    Address.objects.filter(user_id=address.user_id, is_default=True).update(is_default=False)
    Address.objects.filter(pk=address.pk).update(is_default=True)
    address.is_default = True
