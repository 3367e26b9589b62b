"""The signed-in customer: profile and address book."""

from typing import Any, cast

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import pagination
from apps.api.contract.address import BookAddress
from apps.api.contract.customer import DefaultMark, Profile, ProfileBody
from apps.api.contract.reading import read_body
from apps.api.endpoint import Endpoint, customer, sent
from apps.api.idempotency import idempotent
from apps.api.openapi import me as calls
from apps.api.openapi.call import described
from apps.api.pagination import Column
from apps.customers import addresses
from apps.customers.models import Address, User

OLDEST_FIRST = (Column("id"),)


class Me(Endpoint):
    """The profile."""

    permission_classes = [IsAuthenticated]

    @described(calls.ME)
    def get(self, request: Request) -> Response:
        return Response(profile_document(customer(request)))

    @described(calls.CHANGE_ME)
    def patch(self, request: Request) -> Response:
        me = customer(request)
        me.name = read_body(ProfileBody, sent(request)).name
        me.save(update_fields=["name"])
        return Response(profile_document(customer(request)))


@idempotent()
class Addresses(Endpoint):
    """The address book."""

    permission_classes = [IsAuthenticated]

    @described(calls.ADDRESSES)
    def get(self, request: Request) -> Response:
        mine = Address.objects.filter(user=customer(request))
        return Response(pagination.page(mine, OLDEST_FIRST, request, address_document))

    @described(calls.NEW_ADDRESS)
    def post(self, request: Request) -> Response:
        made = addresses.create(
            customer(request), sent(request), make_default=wants_default(sent(request))
        )
        return Response(address_document(made), status=201)


class OneAddress(Endpoint):
    """One entry of the address book."""

    permission_classes = [IsAuthenticated]

    @described(calls.ADDRESS)
    def get(self, request: Request, address_id: int) -> Response:
        return Response(address_document(addresses.find(customer(request), address_id)))

    @described(calls.PUT_ADDRESS)
    def put(self, request: Request, address_id: int) -> Response:
        # PUT replaces: a field that the body does not have becomes blank.
        fields = dict.fromkeys(addresses.FIELDS) | sent(request)
        return self._update(request, address_id, fields)

    @described(calls.PATCH_ADDRESS)
    def patch(self, request: Request, address_id: int) -> Response:
        return self._update(request, address_id, sent(request))

    @described(calls.DELETE_ADDRESS)
    def delete(self, request: Request, address_id: int) -> Response:
        addresses.delete(customer(request), address_id)
        return Response(status=204)

    def _update(self, request: Request, address_id: int, fields: dict[str, Any]) -> Response:
        changed = addresses.update(
            customer(request), address_id, fields, make_default=wants_default(sent(request))
        )
        return Response(address_document(changed))


def wants_default(data: dict[str, Any]) -> bool:
    """Whether the body of an entry makes it the default one; raises Problem 400."""
    return bool(read_body(DefaultMark, data).is_default)


def profile_document(user: User) -> Profile:
    """The customer as they see themselves."""
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "joined_at": user.joined_at.isoformat().replace("+00:00", "Z"),
    }


def address_document(address: Address) -> BookAddress:
    """An entry of the address book."""
    fields = addresses.as_dict(address)
    return cast(BookAddress, {"id": address.pk, **fields, "is_default": address.is_default})
