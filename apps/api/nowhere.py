"""What stands at an address that the API does not have."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.api.endpoint import Endpoint


@extend_schema(exclude=True)
class Nowhere(Endpoint):
    """404 as a problem document, for any method."""

    authentication_classes = []
    limits = ()

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        raise Http404
