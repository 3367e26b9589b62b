"""What all endpoints of the API share: JSON only, limits on writes, domain errors as problems."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api import parameters, refusals
from apps.core import rate_limits, wrong_tokens
from apps.core.client_addresses import client_address
from apps.core.problems import Problem
from apps.customers.models import User

# By their names in META: `request.headers` would first build a mapping of all headers.
CART_TOKEN = "HTTP_X_CART_TOKEN"  # noqa: S105
ORDER_TOKEN = "HTTP_X_ORDER_TOKEN"  # noqa: S105
WAITING_TICKET = "HTTP_X_WAITING_TICKET"


class JSONRenderer(BaseRenderer):
    """JSON by orjson, several times faster than DRF's own renderer: it is in the hot path."""

    media_type = "application/json"
    format = "json"
    charset = None  # RFC 8259: JSON is UTF-8, and its media type has no such parameter

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """Answers JSON, whatever a client's Accept header asks for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


@cache
def _one_of_each(kinds: tuple[type, ...]) -> list[Any]:
    """An instance of each. DRF makes them anew for each request; ours keep nothing of one."""
    return [kind() for kind in kinds]


class Endpoint(APIView):
    """One resource.

    Each request that is not a read counts for `limits` by the client's address, and for
    `user_limits` by its account, before the view is called. Where `counts_later` is set, the view
    calls `count_now` with what it counts itself, in one round trip, before it changes anything;
    what was not counted until the end is counted then, also of a request that is refused.
    """

    content_negotiation_class = AlwaysJSON
    renderer_classes = [JSONRenderer]
    counts_later: ClassVar[bool] = False
    limits: ClassVar[tuple[rate_limits.Limit, ...]] = (rate_limits.WRITES_OF_ADDRESS,)
    user_limits: ClassVar[tuple[rate_limits.Limit, ...]] = (rate_limits.WRITES_OF_USER,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # PostgreSQL answers NUL in a text with an error; no honest client sends one.
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            raise Problem(400, "invalid", "The address holds a NUL character.")
        super().initial(request, *args, **kwargs)
        known = getattr(getattr(self, (request.method or "").lower(), None), "parameters", None)
        if known is not None and request.META.get("QUERY_STRING"):
            parameters.refuse_unknown(request.query_params, known)

    def check_throttles(self, request: Request) -> None:
        self._to_count: list[rate_limits.Count] = []
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        user = request.user
        signed_in = user is not None and user.is_authenticated
        self._to_count = self.counts_of(request.META, user.pk if signed_in else None)
        if not self.counts_later:
            self.count_now()

    def count_now(self, *others: rate_limits.Count) -> None:
        """Count the request and `others`; raises rate_limits.LimitReached."""
        counts, self._to_count = [*self._to_count, *others], []
        rate_limits.count_all(counts)

    @classmethod
    def counts_of(cls, meta: Mapping[str, Any], user_id: int | None) -> list[rate_limits.Count]:
        """What a write of this address, and of this user, counts for."""
        address = client_address(meta)
        counts: list[rate_limits.Count] = [(limit, address) for limit in cls.limits]
        if user_id is not None:
            counts += [(limit, user_id) for limit in cls.user_limits]
        return counts

    @classmethod
    def count_write(cls, meta: Mapping[str, Any], user_id: int | None) -> None:
        """Count a write of this address, and of this user; raises rate_limits.LimitReached."""
        rate_limits.count_all(cls.counts_of(meta, user_id))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "_to_count", None):
            try:
                self.count_now()
            except rate_limits.LimitReached as reached:
                response = self.handle_exception(reached)
        return super().finalize_response(request, response, *args, **kwargs)

    def get_parsers(self) -> list[Any]:
        return _one_of_each(tuple(self.parser_classes))

    def get_renderers(self) -> list[Any]:
        return _one_of_each(tuple(self.renderer_classes))

    def get_authenticators(self) -> list[Any]:
        return _one_of_each(tuple(self.authentication_classes))

    def get_content_negotiator(self) -> Any:
        return _one_of_each((self.content_negotiation_class,))[0]

    @property
    def client_address(self) -> str:
        return client_address(self.request.META)

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(refusals.as_problem(exc))


def customer(request: Request) -> User:
    """The signed-in customer; only for views with IsAuthenticated."""
    assert isinstance(request.user, User)
    return request.user


def sent(request: Request) -> dict[str, Any]:
    """The body as a dict; empty when the request has none."""
    data = request.data
    assert isinstance(data, Mapping)
    return dict(data)


def count_wrong_cart_token(request: Request, cart_id: UUID) -> None:
    """Call when `cart_id` was not found; raises LimitReached after too many wrong tokens for it."""
    wrong_tokens.count("cart", cart_id, token_in(request.META, CART_TOKEN))


def token_in(meta: Mapping[str, Any], header: str) -> str | None:
    """The token that a guest sent in `header`; None when it cannot be one of the shop's."""
    token: str = meta.get(header, "")
    # compare_digest takes ASCII only, and the shop's tokens are short.
    return token if token.isascii() and 0 < len(token) <= 200 else None
