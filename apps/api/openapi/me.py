"""The calls of the signed-in customer."""

from apps.api.contract.address import BOOK_ENTRY, PART_OF_BOOK_ENTRY, AddressPage, BookAddress
from apps.api.contract.customer import Profile, ProfileBody
from apps.api.openapi.call import NO_PAGE, NOT_FOUND, call
from apps.api.openapi.parameters import CURSOR, PAGE_SIZE

_SIGNED_IN = {401: "`not_authenticated`"}
ME = call("me", "My profile", {200: Profile}, tag="me", public=False, problems=_SIGNED_IN)
CHANGE_ME = call(
    "change_me",
    "Change my name",
    {200: Profile},
    tag="me",
    public=False,
    body=ProfileBody,
    problems=_SIGNED_IN,
)
ADDRESSES = call(
    "addresses",
    "My address book",
    {200: AddressPage},
    tag="me",
    public=False,
    problems={**_SIGNED_IN, **NO_PAGE},
    parameters=(CURSOR, PAGE_SIZE),
)
NEW_ADDRESS = call(
    "new_address",
    "Add an address",
    {201: BookAddress},
    tag="me",
    public=False,
    body=BOOK_ENTRY,
    idempotent=True,
    problems={**_SIGNED_IN, 409: "`address_book_full`"},
)
ADDRESS = call(
    "address",
    "One address",
    {200: BookAddress},
    tag="me",
    public=False,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
PUT_ADDRESS = call(
    "replace_address",
    "Replace an address",
    {200: BookAddress},
    tag="me",
    public=False,
    body=BOOK_ENTRY,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
PATCH_ADDRESS = call(
    "change_address",
    "Change some fields of an address",
    {200: BookAddress},
    tag="me",
    public=False,
    body=PART_OF_BOOK_ENTRY,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
DELETE_ADDRESS = call(
    "delete_address",
    "Delete an address",
    {204: None},
    writes=True,
    tag="me",
    public=False,
    problems={**_SIGNED_IN, **NOT_FOUND},
)
