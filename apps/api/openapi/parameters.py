"""Query parameters and headers, of requests and of answers, as the schema describes them."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from apps.api.contract.fields import COUNTRIES
from apps.api.pagination import LETTERS, PAGE_SIZE_MAX
from apps.api.parameters import SEQ_MAX


def query(
    name: str,
    description: str,
    schema: dict[str, Any] | None = None,
    *,
    required: bool = False,
    enum: list[str] | None = None,
) -> OpenApiParameter:
    """A query parameter; any string, unless `schema` or `enum` say otherwise."""
    kind = schema or OpenApiTypes.STR
    return OpenApiParameter(name, kind, description=description, required=required, enum=enum)


def header(
    name: str, description: str, schema: dict[str, Any] | None = None, *, required: bool = False
) -> OpenApiParameter:
    """A header of the request, or of answers (`call(headers=…)`)."""
    return OpenApiParameter(
        name,
        schema or OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description=description,
        required=required,
    )


def of_answer(found: OpenApiParameter, status: int) -> OpenApiParameter:
    """A header as drf-spectacular takes it for the answers of one status."""
    return OpenApiParameter(
        found.name,
        found.type,
        OpenApiParameter.HEADER,
        description=found.description,
        required=found.required,
        response=[status],
    )


SECONDS = {"type": "integer", "minimum": 1}
SEQ = {"type": "integer", "minimum": 0, "maximum": SEQ_MAX}
COUNTRY = {"type": "string", "enum": sorted(COUNTRIES)}
CURSOR = query(
    "cursor", "from `next` or `previous`", {"type": "string", "pattern": f"^({LETTERS.pattern})?$"}
)
PAGE_SIZE = query(
    "page_size", "usually 24", {"type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX}
)
CART_TOKEN = header("X-Cart-Token", "a guest's right to the cart")
ORDER_TOKEN = header("X-Order-Token", "a guest's right to the order")
WAITING_TICKET = header(
    "X-Waiting-Ticket", "the ticket of a flash sale's waiting room; several by comma"
)
IF_NONE_MATCH = header("If-None-Match", "the ETag of the last answer")
_KEY = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters of your own: sent again, it gets the same answer",
    _KEY,
)
REQUIRED_KEY = header("Idempotency-Key", IDEMPOTENCY_KEY.description, _KEY, required=True)
REPLAYED = header(
    "Idempotent-Replayed",
    "this is the answer of the first request with this key",
    {"type": "string", "enum": ["true"]},
)
ETAG = header("ETag", "for If-None-Match", required=True)
RETRY_AFTER = header("Retry-After", "seconds to wait", SECONDS, required=True)
HEADERS_OF_PROBLEMS: dict[int, tuple[OpenApiParameter, ...]] = {
    401: (header("WWW-Authenticate", "how to sign in", required=True),),
    409: (header("Retry-After", "seconds to wait, where waiting helps", SECONDS),),
    429: (
        RETRY_AFTER,
        header("RateLimit-Limit", "how many are allowed", {"type": "integer"}),
        header("RateLimit-Remaining", "how many are left", {"type": "integer"}),
        header("RateLimit-Reset", "seconds until some are left", {"type": "integer"}),
        header("RateLimit-Policy", "how many in how many seconds"),
    ),
    503: (RETRY_AFTER,),
}
