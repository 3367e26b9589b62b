"""Personal data stays out of caches, on pages and in the API; public data may be cached.

Every address is read from the URLconf, so that a new one is tested too.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Variant
from apps.customers.models import User
from apps.fastpath.pages import PageShortcut
from apps.orders.models import Order
from tests.api.conftest import Api
from tests.factories import PASSWORD, AddressFactory, make_clerk
from tests.fastpath.wsgi_client import Behind, answer, request
from tests.hostile import addresses
from tests.hostile.addresses import filled
from tests.web.conftest import Visitor

# Every page below these shows an order, an address, a cart, an account or the back office.
OF_SOMEBODY = ("/account/", "/cart/", "/checkout/", "/orders/", "/queue/")
OPEN_TO_ALL = ("/api/v1/products/", "/api/v1/categories/")


def said(response: Any) -> set[str]:
    """The directives of its Cache-Control."""
    return {part.strip() for part in response.headers.get("Cache-Control", "").split(",")} - {""}


@pytest.mark.parametrize("route", addresses.of_pages())
def test_page_of_a_signed_in_customer_is_private(visitor: Visitor, alice: User, route: str) -> None:
    visitor.force_login(alice)

    for path in {filled(route), filled(route, slug="none"), filled(route, uuid=str(uuid4()))}:
        assert "private" in said(visitor.get(path)), path
        assert "private" in said(visitor.post(path, {})), path


@pytest.mark.parametrize("route", [r for r in addresses.of_pages() if r.startswith(OF_SOMEBODY)])
def test_page_with_an_order_or_an_address_is_not_even_stored(
    visitor: Visitor, alice: User, route: str
) -> None:
    for _ in range(2):  # as a stranger, then signed in
        assert "no-store" in said(visitor.get(filled(route)))
        visitor.force_login(alice)


def test_pages_that_show_the_name_or_the_cart_are_private(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)
    for path in ("/", f"/p/{mug.product.slug}/", "/search/?q=mug", "/nowhere/"):
        assert "private" in said(visitor.get(path)), path


def test_page_that_gives_a_visitor_a_cookie_is_private(visitor: Visitor, mug: Variant) -> None:
    added = visitor.add(mug)

    assert added.cookies["sessionid"]
    assert "private" in said(added)


def test_page_with_a_message_is_private(client: Client, mug: Variant) -> None:
    """After signing out a visitor has no session, and one message that was not shown yet."""
    client.cookies["messages"] = "whatever-it-says"

    assert "private" in said(client.get(f"/p/{mug.product.slug}/"))


def test_order_that_a_token_opens_is_not_stored(visitor: Visitor, mug: Variant) -> None:
    place = visitor.buy(mug)["Location"]

    page = Client().get(place)

    assert Order.objects.get().number in page.content.decode()
    assert {"private", "no-store"} <= said(page)


def test_page_that_all_strangers_see_alike_may_be_kept(client: Client, mug: Variant) -> None:
    for path in ("/", f"/p/{mug.product.slug}/", "/search/?q=mug"):
        page = client.get(path)
        assert {"public", "s-maxage=1"} <= said(page), path
        assert not page.cookies
    assert said(client.get("/nowhere/")) == set()


def test_page_that_comes_with_a_cookie_is_private(client: Client, mug: Variant) -> None:
    """Django replaces a CSRF cookie that is none of its own; a cache would hand it to the next."""
    client.cookies[settings.CSRF_COOKIE_NAME] = "no-secret"

    page = client.get("/")

    assert page.cookies
    assert "private" in said(page)
    assert "public" not in said(page)


@pytest.mark.parametrize("route", addresses.of_api())
def test_answer_of_the_api_is_not_stored_but_the_catalogs(
    api: Api, alice: User, route: str
) -> None:
    path = filled(route)
    is_open = path.startswith(OPEN_TO_ALL)
    expected = set() if is_open else {"private", "no-store"}

    assert said(api.get(path)) == expected
    assert said(api.as_user(alice).get(path)) == expected
    if not is_open:
        assert said(api.post(path, {})) == expected


def test_tokens_are_not_stored(api: Api, alice: User) -> None:
    login = api.post("/auth/token/", {"email": alice.email, "password": PASSWORD})

    assert login.status_code == 200
    assert {"private", "no-store"} <= said(login)


def test_order_asked_for_by_etag_is_not_stored(
    api: Api, buy: Callable[..., dict[str, Any]]
) -> None:
    placed = api.checkout(buy()).json()
    token = {"X-Order-Token": placed["order"]["token"]}
    first = api.get(placed["links"]["status"], **token)

    again = api.get(placed["links"]["status"], **token, **{"If-None-Match": first["ETag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert {"private", "no-store"} <= said(first)
    assert {"private", "no-store"} <= said(again)


@pytest.mark.parametrize("route", addresses.of_admin())
def test_page_of_the_office_is_not_stored(office: Client, route: str) -> None:
    assert {"private", "no-store"} <= said(office.get(filled(route)))


def test_list_that_was_exported_is_not_stored(office: Client, alice: User) -> None:
    AddressFactory(user=alice)

    answer = office.get(reverse("admin:customers_user_change", args=[alice.pk]))

    assert answer.status_code == 200
    assert {"private", "no-store"} <= said(answer)
    assert {"private", "no-store"} <= said(Client().get("/admin/login/?next=/admin/"))


@pytest.mark.parametrize("who", ["alice", "with_cart", "nobody"])
def test_page_answered_before_django_holds_nothing_personal(
    visitor: Visitor, mug: Variant, who: str
) -> None:
    """For a visitor with a session Django renders the page."""
    path = f"/p/{mug.product.slug}/"
    visitor.get(path)
    if who == "alice":
        visitor.force_login(make_clerk())
    elif who == "with_cart":
        visitor.add(mug)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in visitor.cookies.items())
    behind = Behind()

    status, headers, _ = answer(
        PageShortcut(behind),
        request(path, b"", REQUEST_METHOD="GET", CONTENT_LENGTH="absent", HTTP_COOKIE=cookies),
    )

    assert status == "200 OK"
    assert behind.times == (0 if who == "nobody" else 1)
    assert headers["Cache-Control"].startswith("public" if who == "nobody" else "private")
