"""Every write is limited. Read from the URLconf, so that a new address is tested too.

The limits of one kind are used up for all clients, and every address is written to. An answer other
than 429 (or 405: nothing to write to) is a write that is not counted.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Variant
from apps.core import rate_limits
from apps.core.rate_limits import Count, Limit, LimitReached, counting
from apps.customers.models import User
from apps.orders.models import Order
from tests.api.conftest import Api
from tests.factories import OrderFactory, a_flash_sale
from tests.hostile.addresses import filled, of_admin, of_api, of_pages, patterns
from tests.web.conftest import Visitor

WRITES = ("POST", "PUT", "PATCH", "DELETE")
# Not counted, and why.
NOT_COUNTED = {
    "/stripe/webhook/<uuid:uuid>/": "the gateway's, by its signature; turned away, orders wait",
    "/media/<path:path>": "reads a file, whatever the method",
}
# No one is signed in here: counted by address, sign-ins by the account that they name.
WITHOUT_ACCOUNT = {
    "/api/v1/auth/register/",
    "/api/v1/auth/token/",
    "/api/v1/auth/token/refresh/",
    "/api/v1/auth/token/revoke/",  # by its token
    "/api/v1/waiting-rooms/<slug:slug>/",  # the position depends on the time of arrival
    "/account/login/",
    "/account/register/",
    "/account/password/reset/",
    "/account/password/new/<str:uid>/<str:token>/",
    "/admin/login/",
}

Use = Callable[[str], None]


@pytest.fixture
def use_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """`use_up("-user")`: every limit whose name ends so is reached, for every client."""

    def use(ending: str) -> None:
        def count(limit: Limit, subject: str | int) -> None:
            assert subject, f"{limit.name} counts no one"
            if limit.name.endswith(ending):
                raise LimitReached(limit, 7)

        def count_all(counts: Sequence[Count]) -> None:
            for limit, subject in counts:
                count(limit, subject)

        for module in (rate_limits, counting):  # for the API, for the pages' decorator
            monkeypatch.setattr(module, "count", count)
            monkeypatch.setattr(module, "count_all", count_all)

    return use


def write(client: Client, method: str, address: str, **more: Any) -> Any:
    """The method with a body of its kind."""
    if address.startswith("/api/"):
        more |= {"data": json.dumps({}), "content_type": "application/json"}
    return getattr(client, method.lower())(address, **more)


def uncounted(client: Client, routes: list[str], **more: Any) -> list[str]:
    """The writes that are answered as if there were no limit."""
    found = []
    for route in routes:
        # Some 150 pages of the back office; nothing there takes another method for a write.
        for method in WRITES[:1] if route.startswith("/admin/") else WRITES:
            answer = write(client, method, filled(route), **more)
            if answer.status_code == 405:
                continue
            if answer.status_code != 429:
                found.append(f"{method} {route}: {answer.status_code}")
                continue
            assert answer["Retry-After"] == answer["RateLimit-Reset"] == "7", route
            assert answer["RateLimit-Remaining"] == "0", route
            assert int(answer["RateLimit-Limit"]) > 0, route
            assert ";w=" in answer["RateLimit-Policy"], route
    return found


def everything() -> list[str]:
    return sorted({route for route in patterns() if route not in NOT_COUNTED})


def test_every_address_is_there() -> None:
    """Otherwise the tests below would test nothing."""
    assert len(of_pages()) >= 20
    assert len(of_api()) >= 20
    assert len(of_admin()) >= 100
    assert set(NOT_COUNTED) | WITHOUT_ACCOUNT <= set(patterns())


def test_every_write_is_counted_by_address(use_up: Use, office: Client) -> None:
    use_up("-address")

    assert uncounted(office, everything()) == []


def test_every_write_of_a_session_is_counted_by_user(use_up: Use, office: Client) -> None:
    use_up("-user")
    routes = [r for r in everything() if r not in WITHOUT_ACCOUNT and not r.startswith("/api/")]

    assert uncounted(office, routes) == []


def test_every_write_of_an_app_is_counted_by_user(use_up: Use, alice: User) -> None:
    use_up("-user")
    app = Api().as_user(alice)

    routes = [route for route in of_api() if route not in WITHOUT_ACCOUNT]
    assert uncounted(app._client, routes, headers=app.headers) == []


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/api/v1/auth/token/", {"email": "alice@example.com", "password": "x"}),
        ("/account/login/", {"email": "alice@example.com", "password": "x"}),
        ("/account/password/reset/", {"email": "alice@example.com"}),
        ("/admin/login/", {"username": "alice@example.com", "password": "x"}),
    ],
)
def test_every_sign_in_is_counted_by_account(
    use_up: Use, alice: User, address: str, form: dict[str, str]
) -> None:
    use_up("-account")
    kind = {"content_type": "application/json"} if address.startswith("/api/") else {}

    answer = Client().post(address, form, **kind)

    assert (answer.status_code, answer["Retry-After"]) == (429, "7")


# --- By cart, for every client that uses it -------------------------------------------------------


def test_every_write_to_a_cart_of_an_app_is_counted_by_cart(
    use_up: Use, api: Api, db: None
) -> None:
    cart = api.new_cart()["id"]
    use_up("-cart")
    bodies = {"PUT lines": {"quantity": 1}, "PUT promo": {"code": "X"}}
    asked = []

    for route in (route for route in of_api() if "<uuid:cart_id>" in route):
        for method in WRITES:
            body = bodies.get(f"{method} {'lines' if 'lines' in route else 'promo'}", {})
            answer = getattr(api._client, method.lower())(
                filled(route, uuid=cart),
                data=json.dumps(body),
                content_type="application/json",
                headers=api.headers,
            )
            if answer.status_code != 405:
                asked.append((method, route, answer.status_code))

    assert len(asked) == 3, asked
    assert {status for _, _, status in asked} == {429}, asked


def test_checkout_of_a_cart_is_counted_by_cart(
    use_up: Use, api: Api, mug: Variant, buy: Callable[..., dict[str, Any]]
) -> None:
    cart = api.new_cart()["id"]
    api.put(f"/carts/{cart}/lines/{mug.sku}/", {"quantity": 1})
    use_up("-cart")
    body = buy(cart=cart)
    del body["lines"]

    answer = api.checkout(body)

    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/cart/lines/{sku}/", {"quantity": "2"}),
        ("/cart/promo/", {"code": "SPRING"}),
        ("/cart/promo/", {"remove": "SPRING"}),
        ("/p/{slug}/", {"quantity": "1"}),
        ("/checkout/", {"email": "alice@example.com"}),
    ],
)
def test_every_page_that_writes_to_a_cart_counts_it(
    use_up: Use, visitor: Visitor, mug: Variant, address: str, form: dict[str, str]
) -> None:
    visitor.add(mug)
    before = visitor.get("/cart/").context["quote"].lines
    use_up("-cart")

    answer = visitor.post(address.format(sku=mug.sku, slug=mug.product.slug), form)

    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    assert answer["RateLimit-Limit"] in ("240", "30")
    assert "Slowly, please." in answer.content.decode()
    assert visitor.get("/cart/").context["quote"].lines == before
    assert Order.objects.count() == 0


# --- Limits that a page counts itself -----------------------------------------------------------


def test_guesser_at_orders_gets_a_retry_after(visitor: Visitor, db: None) -> None:
    limit = rate_limits.WRONG_TOKENS
    order = OrderFactory()
    guessed = {"token": "0" * 40}
    for _ in range(limit.amount):
        visitor.get(reverse("web:order", args=[order.pk]), guessed)

    pages = [
        visitor.get(reverse("web:order", args=[order.pk]), guessed),
        visitor.post(reverse("web:order-cancel", args=[order.pk]), guessed),
        visitor.post(reverse("web:order-again", args=[order.pk]), guessed),
        visitor.post(reverse("web:order-return", args=[order.pk]), guessed),
    ]

    for page in pages:
        assert page.status_code == 429
        assert page["RateLimit-Limit"] == str(limit.amount)
        assert int(page["Retry-After"]) >= 1


def test_taker_of_tickets_by_page_gets_a_retry_after(
    use_up: Use, visitor: Visitor, mug: Variant
) -> None:
    sale = a_flash_sale(mug, waiting_room=True)
    use_up("tickets-address")

    page = visitor.get(f"/queue/{sale.slug}/")

    assert (page.status_code, page["Retry-After"], page["RateLimit-Limit"]) == (429, "7", "300")
