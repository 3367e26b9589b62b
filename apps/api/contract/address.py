"""Postal addresses. customers.addresses has the one rule; here is how it is asked and described."""

from collections.abc import Mapping
from typing import Annotated, Any

from typing_extensions import TypedDict

from apps.api.contract.fields import fields_refused, own, refused
from apps.api.contract.formats import PageLinks
from apps.customers import addresses, countries
from apps.customers.models import Address as AddressRow

EXAMPLE_ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
    "phone": "+1 503 555 0100",
}


class Address(TypedDict):
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str
    phone: str


class BookAddress(Address):
    id: int
    is_default: bool


class AddressPage(PageLinks):
    results: list[BookAddress]


def _address(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise refused("invalid", "Expected an object.")
    try:
        return addresses.clean_address(value)
    except addresses.AddressInvalid as error:
        raise fields_refused(value, *error.errors) from None


def _described() -> dict[str, Any]:
    """The address's JSON schema, by the columns that keep it."""
    columns = [AddressRow._meta.get_field(name) for name in addresses.FIELDS]
    return {
        "type": "object",
        "required": [column.name for column in columns if not column.blank],
        "properties": {
            column.name: {"type": "string", "maxLength": column.max_length} for column in columns
        },
        "description": (
            "`country` is ISO 3166-1 alpha-2, or XK. `region` is required in the US and Canada, in"
            " any usual spelling, and is kept as its code; `postal_code` where the country needs"
            " one, and it must not contradict the region. `phone` is kept in E.164."
        ),
        "example": EXAMPLE_ADDRESS,
    }


def _in_book(described: dict[str, Any]) -> dict[str, Any]:
    properties = described["properties"] | {"is_default": {"type": "boolean", "nullable": True}}
    return described | {"properties": properties}


POSTAL_ADDRESS = _described()
for _name, _field in POSTAL_ADDRESS["properties"].items():
    _field.update({"minLength": 1} if _name in POSTAL_ADDRESS["required"] else {"nullable": True})
POSTAL_ADDRESS["properties"]["country"] = {"type": "string", "enum": sorted(countries.names())}
PostalAddress = Annotated[dict[str, str], *own(_address, POSTAL_ADDRESS)]
# The entries of an address book are read by customers.addresses, because a changed part is checked
# together with the rest; `is_default` alone is read here (customer.DefaultMark).
BOOK_ENTRY = _in_book(POSTAL_ADDRESS)
PART_OF_BOOK_ENTRY = {name: value for name, value in BOOK_ENTRY.items() if name != "required"}
