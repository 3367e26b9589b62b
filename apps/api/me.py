"""The signed-in customer: profile and address book."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import bodies, documents, pagination
from apps.api.endpoint import Endpoint, customer, sent
from apps.api.pagination import Column
from apps.api.shapes import read_body
from apps.customers import addresses
from apps.customers.models import Address, User

OLDEST_FIRST = (Column("id"),)


class Me(Endpoint):
    """The profile."""

    permission_classes = [IsAuthenticated]

    @extend_schema(**documents.ME)
    def get(self, request: Request) -> Response:
        return Response(profile_document(customer(request)))

    @extend_schema(**documents.CHANGE_ME)
    def patch(self, request: Request) -> Response:
        me = customer(request)
        me.name = read_body(bodies.PROFILE, sent(request))["name"]
        me.save(update_fields=["name"])
        return Response(profile_document(customer(request)))


class Addresses(Endpoint):
    """The address book."""

    permission_classes = [IsAuthenticated]

    @extend_schema(**documents.ADDRESSES)
    def get(self, request: Request) -> Response:
        mine = Address.objects.filter(user=customer(request))
        return Response(pagination.page(mine, OLDEST_FIRST, request, address_document))

    @extend_schema(**documents.NEW_ADDRESS)
    def post(self, request: Request) -> Response:
        made = addresses.create(
            customer(request), sent(request), make_default=wants_default(sent(request))
        )
        return Response(address_document(made), status=201)


class OneAddress(Endpoint):
    """One entry of the address book."""

    permission_classes = [IsAuthenticated]

    @extend_schema(**documents.ADDRESS)
    def get(self, request: Request, address_id: int) -> Response:
        return Response(address_document(addresses.find(customer(request), address_id)))

    @extend_schema(**documents.PUT_ADDRESS)
    def put(self, request: Request, address_id: int) -> Response:
        # PUT replaces: what the body leaves out becomes blank.
        fields = dict.fromkeys(addresses.FIELDS) | sent(request)
        return self._update(request, address_id, fields)

    @extend_schema(**documents.PATCH_ADDRESS)
    def patch(self, request: Request, address_id: int) -> Response:
        return self._update(request, address_id, sent(request))

    @extend_schema(**documents.DELETE_ADDRESS)
    def delete(self, request: Request, address_id: int) -> Response:
        addresses.delete(customer(request), address_id)
        return Response(status=204)

    def _update(self, request: Request, address_id: int, fields: dict[str, Any]) -> Response:
        changed = addresses.update(
            customer(request), address_id, fields, make_default=wants_default(sent(request))
        )
        return Response(address_document(changed))


def wants_default(data: dict[str, Any]) -> bool:
    return bool(read_body(bodies.IS_DEFAULT, data)["is_default"])


def profile_document(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "joined_at": user.joined_at.isoformat().replace("+00:00", "Z"),
    }


def address_document(address: Address) -> dict[str, Any]:
    return {"id": address.pk, **addresses.as_dict(address), "is_default": address.is_default}
