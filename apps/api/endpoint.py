"""What every endpoint of the API shares: JSON only, limits on writes, domain errors as problems."""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api import refusals
from apps.customers.models import User
from storefront import rate_limits
from storefront.problems import Problem

# As META names them: `request.headers` would first make a mapping of all.
CART_TOKEN = "HTTP_X_CART_TOKEN"  # noqa: S105
ORDER_TOKEN = "HTTP_X_ORDER_TOKEN"  # noqa: S105
WAITING_TICKET = "HTTP_X_WAITING_TICKET"


class JSONRenderer(BaseRenderer):
    """JSON by orjson: several times quicker than DRF's own, which the hot path feels."""

    media_type = "application/json"
    format = "json"
    charset = None  # RFC 8259: always UTF-8, and the media type has no such parameter

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """This API speaks JSON, whatever a client's Accept header dreams of."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    """One resource. `limits` are counted per address for each request that is not a read."""

    content_negotiation_class = AlwaysJSON
    renderer_classes = [JSONRenderer]
    limits: ClassVar[tuple[rate_limits.Limit, ...]] = (rate_limits.WRITES_OF_ADDRESS,)
    user_limits: ClassVar[tuple[rate_limits.Limit, ...]] = (rate_limits.WRITES_OF_USER,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # PostgreSQL refuses NUL in text with an error; no honest client sends one.
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            raise Problem(400, "invalid", "The address holds a NUL character.")
        super().initial(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        user = request.user
        signed_in = user is not None and user.is_authenticated
        self.count_write(request.META, user.pk if signed_in else None)

    @classmethod
    def count_write(cls, meta: Mapping[str, Any], user_id: int | None) -> None:
        """One more from this address, and by this user; raises rate_limits.LimitReached."""
        for limit in cls.limits:
            rate_limits.count(limit, rate_limits.client_address(meta))
        if user_id is not None:
            for limit in cls.user_limits:
                rate_limits.count(limit, user_id)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        finished = super().finalize_response(request, response, *args, **kwargs)
        if self.authentication_classes and "Cache-Control" not in finished.headers:
            # Carts and orders are somebody's; no cache on the way may keep them for the next one.
            finished["Cache-Control"] = "no-store"
        return finished

    @property
    def client_address(self) -> str:
        return rate_limits.client_address(self.request.META)

    def handle_exception(self, exc: Exception) -> Response:
        if refusals.is_hidden(exc):
            # Whoever gets many of these guesses ids or tokens.
            try:
                rate_limits.count(rate_limits.WRONG_TOKENS_OF_ADDRESS, self.client_address)
            except rate_limits.LimitReached as reached:
                exc = reached
        return super().handle_exception(refusals.as_problem(exc))

    def guess(self, token: str | None) -> None:
        """Call before looking up what `token` opens: raises after too many wrong ones."""
        if token:
            rate_limits.refuse_if_reached(rate_limits.WRONG_TOKENS_OF_ADDRESS, self.client_address)


def customer(request: Request) -> User:
    """Who is signed in, behind IsAuthenticated."""
    assert isinstance(request.user, User)
    return request.user


def sent(request: Request) -> dict[str, Any]:
    """The body: an object, or nothing at all."""
    data = request.data
    assert isinstance(data, Mapping)
    return dict(data)


def token_in(meta: Mapping[str, Any], header: str) -> str | None:
    """The token that a guest sent in `header`; None when there is none worth comparing."""
    token: str = meta.get(header, "")
    # compare_digest takes ASCII only, and no token of ours is long.
    return token if token.isascii() and 0 < len(token) <= 200 else None
