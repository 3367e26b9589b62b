"""Requests for pages that all strangers see alike, for the parity test."""

from typing import Any

from django.utils import timezone

from apps.catalog.models import Product
from tests.fastpath.parity import Case
from tests.fastpath.world import World
from tests.fastpath.wsgi_client import exchange

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


def a_list(name: str, path: str, **changes: Any) -> Case:
    """A list that was made for another request a moment ago."""
    changes |= {"PATH_INFO": path}

    def prepare(world: World) -> None:
        world.render_page()  # the mug is in the shop
        exchange(world.django, world.page(**changes))

    return Case(name, 200, lambda world, _: world.page(**changes), answered=True, prepare=prepare)


LIST_CASES = [
    a_list("home", "/"),
    a_list("home from a newsletter", "/", QUERY_STRING="utm_source=newsletter"),
    a_list("category", "/c/kitchen/"),
    a_list("everything", "/search/"),
    a_list("search", "/search/", QUERY_STRING="q=mug&sort=-price&in_stock=1"),
    a_list("search in escapes", "/search/", QUERY_STRING="q=%6dug"),
    page("home not made yet", PATH_INFO="/"),
    page("home of a session", PATH_INFO="/", HTTP_COOKIE="__Host-session=nobody"),
    page("HEAD of home", PATH_INFO="/", REQUEST_METHOD="HEAD"),
    page("unknown category", 404, PATH_INFO="/c/no-such-shelf/"),
    page("prices that are none", 400, PATH_INFO="/search/", QUERY_STRING="min_price=cheap"),
    page("past the end", 404, PATH_INFO="/search/", QUERY_STRING="page=9"),
    page("another address", 404, PATH_INFO="/nowhere/"),
]

PAGE_CASES = [
    *LIST_CASES,
    page("first visit", answered=True),
    page("known visitor", answered=True, HTTP_COOKIE=f"__Host-csrf={SECRET}"),
    page("odd cookies", answered=True, HTTP_COOKIE="theme=dark; =; x"),
    page("no secret", HTTP_COOKIE="__Host-csrf=no-secret; theme=dark"),  # gets a new one
    page("query", answered=True, QUERY_STRING="utm_source=newsletter"),
    page("length 0", answered=True, CONTENT_LENGTH="0"),
    page("type without a body", answered=True, CONTENT_TYPE="text/plain"),
    page("if none match", 304, answered=True, HTTP_IF_NONE_MATCH="*"),
    page("another page there", answered=True, HTTP_IF_NONE_MATCH='W/"0"'),
    page("another page wanted", 412, answered=True, HTTP_IF_MATCH='"0"'),
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
