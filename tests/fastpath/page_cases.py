"""Requests for a product's page, for the parity test."""

from typing import Any

from django.utils import timezone

from apps.catalog.models import Product
from tests.fastpath.parity import Case
from tests.fastpath.world import World

SECRET = "s" * 32


def page(name: str, status: int = 200, *, answered: bool = False, **changes: Any) -> Case:
    """The page is in the cache, so that it is not for want of it that Django has to answer."""
    return Case(
        name,
        status,
        lambda world, _: world.page(**changes),
        answered=answered,
        prepare=World.render_page,
    )


PAGE_CASES = [
    page("first visit", answered=True),
    page("known visitor", answered=True, HTTP_COOKIE=f"__Host-csrf={SECRET}"),
    page("odd cookies", answered=True, HTTP_COOKIE="__Host-csrf=no-secret; theme=dark; =; x"),
    page("query", answered=True, QUERY_STRING="utm_source=newsletter"),
    page("length 0", answered=True, CONTENT_LENGTH="0"),
    page("type without a body", answered=True, CONTENT_TYPE="text/plain"),
    page("if none match", answered=True, HTTP_IF_NONE_MATCH="*"),
    page("if modified since", answered=True, HTTP_IF_MODIFIED_SINCE=f"{timezone.now():%c}"),
    page("range", answered=True, HTTP_RANGE="bytes=0-1"),
    page("accepts JSON", answered=True, HTTP_ACCEPT="application/json"),
    page("accepts gzip", answered=True, HTTP_ACCEPT_ENCODING="gzip"),
    page("token of an app", answered=True, HTTP_AUTHORIZATION="Bearer x"),
    page("chunked", answered=True, HTTP_TRANSFER_ENCODING="chunked"),
    page("variant", QUERY_STRING="variant=MUG"),
    page("variant in escapes", QUERY_STRING="%76ariant=MUG"),
    page("long query", QUERY_STRING="a=" + "b" * 1000),
    page("session of nobody", HTTP_COOKIE="__Host-session=nobody"),
    page("messages", HTTP_COOKIE="messages=nothing"),
    page("long cookies", HTTP_COOKIE="a=" + "b" * 1000),
    page("body", CONTENT_LENGTH="3"),
    page("superscript length", CONTENT_LENGTH="²"),
    page("HEAD", REQUEST_METHOD="HEAD"),
    page("OPTIONS", 405, REQUEST_METHOD="OPTIONS"),
    page("PUT", 403, REQUEST_METHOD="PUT"),
    page("POST without a token", 403, REQUEST_METHOD="POST"),
    page("lower-case method", REQUEST_METHOD="get"),
    page("unknown host", 400, HTTP_HOST="evil.example"),
    page("no host", 400, HTTP_HOST="absent"),
    page("http", 301, HTTP_X_FORWARDED_PROTO="http"),
    page("below another address", SCRIPT_NAME="/shop"),
    page("unknown product", 404, PATH_INFO="/p/no-such-thing/"),
    page("no slash", 301, PATH_INFO="/p/no-such-thing"),
    page("no product", 404, PATH_INFO="/p/"),
    page("NUL", 400, PATH_INFO="/p/a\x00/"),
    Case("not rendered yet", 200, lambda world, _: world.page()),
    Case(
        "taken off sale",
        404,
        lambda world, _: world.page(),
        prepare=lambda world: Product.objects.filter(pk=world.mug.product.pk).update(
            published=False
        ),
    ),
]
