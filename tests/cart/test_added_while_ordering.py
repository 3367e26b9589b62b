"""What is added to a cart while it is being ordered is in the next cart: not lost, not bought.

For guests and customers, by API and by page. The order is stopped at each moment at which something
can be added: after the cart was read, before its order is committed, and after the commit.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.cart import carts
from apps.cart.models import Cart
from apps.catalog.models import Variant
from apps.customers.models import User
from apps.orders.intake import (
    accept_batch,
    ordered_carts,
    queue,
    writing,
)
from apps.orders.models import Order
from tests.api.conftest import Api
from tests.factories import ADDRESS, a_kettle, a_mug, make_alice, ship_everywhere
from tests.web.conftest import Visitor

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

Quantities = dict[str, int]


@pytest.fixture
def mug() -> Iterator[Variant]:
    ship_everywhere(price=599)
    yield a_mug(stock=500, price=1800)
    queue.drain()


@pytest.fixture
def kettle() -> Variant:
    return a_kettle(stock=500)


class ByApi:
    """An API client, with a guest's or a customer's cart."""

    def __init__(self, user: User | None) -> None:
        self.api = Api() if user is None else Api().as_user(user)
        self.cart_id = self.api.new_cart()["id"]

    def adds(self, variant: Variant, quantity: int = 1) -> None:
        """Set the line of `variant` to `quantity`, in the cart whose id this client has."""
        answer = self.api.put(f"/carts/{self.cart_id}/lines/{variant.sku}/", {"quantity": quantity})
        assert answer.status_code == 200, answer.content

    def orders(self) -> None:
        body = {
            "cart": self.cart_id,
            "email": "alice@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        }
        answer = self.api.checkout(body)
        assert answer.status_code == 202, answer.content

    def next_cart(self) -> Quantities:
        seen = self.api.get(f"/carts/{self.cart_id}/").json()
        if seen["next_cart"] is None:
            return {}
        found = self.api.get(f"/carts/{seen['next_cart']}/").json()
        return {line["sku"]: line["quantity"] for line in found["lines"]}


class ByPage:
    """A browser; its second tab adds to the cart."""

    def __init__(self, user: User | None) -> None:
        self.browser = Visitor(raise_request_exception=False)
        if user is not None:
            self.browser.force_login(user)
        self.user = user

    def tab(self) -> Visitor:
        tab = Visitor(raise_request_exception=False)
        tab.cookies["sessionid"] = self.browser.cookies["sessionid"].value
        return tab

    def adds(self, variant: Variant, quantity: int = 1) -> None:
        tab = self.browser if "sessionid" not in self.browser.cookies else self.tab()
        tab.add(variant, quantity)

    def orders(self) -> None:
        """Send the form; where an added line changed the total, read it anew and send it again.

        `adds` is called once for each of ten lines at most, so the total changes no more often.
        """
        for _ in range(11):
            answer = self.tab().post("/checkout/", self.form)
            if answer.status_code != 409 or b"The total is now" not in answer.content:
                break
            self.reads_form()
        assert answer.status_code == 302 and "/orders/" in answer["Location"], answer.content

    def reads_form(self) -> None:
        self.form = self.browser.checkout_form()

    def next_cart(self) -> Quantities:
        self.tab().get("/cart/")
        kept = self.browser.session.get("cart")
        if self.user is not None:
            found = carts.of_user(self.user)
        elif kept is None:
            return {}
        else:
            found = carts.next_of(carts.find(UUID(kept["id"]), token=kept["token"]))
        return found.quantities if found is not None else {}


@pytest.fixture(params=["guest", "customer"])
def user(request: pytest.FixtureRequest) -> User | None:
    return None if request.param == "guest" else make_alice()


@pytest.fixture(params=[ByApi, ByPage], ids=["api", "page"])
def shopper(request: pytest.FixtureRequest, user: User | None, mug: Variant) -> Any:
    shopper = request.param(user)
    shopper.adds(mug, 2)
    if isinstance(shopper, ByPage):
        shopper.reads_form()
    return shopper


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    """Run `work` in another thread, as another request would."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, moment: str, work: Callable[[], Any]
) -> list[threading.Thread]:
    """Do `work` once at a moment of the order: "read", "written" or "committed"."""
    at = {
        "read": (accept_batch, "_accept"),
        "written": (writing, "write"),
        "committed": (ordered_carts, "leave"),
    }[moment]
    inner = getattr(*at)
    started: list[threading.Thread] = []

    def with_work(*args: Any, **kwargs: Any) -> Any:
        if started:
            return inner(*args, **kwargs)
        if moment == "written":  # the customer's cart is locked from here to the commit
            answer = inner(*args, **kwargs)
            started.append(in_thread(work))
            started[0].join(0.3)
            return answer
        started.append(in_thread(work))
        started[0].join()
        return inner(*args, **kwargs)

    monkeypatch.setattr(*at, with_work)
    return started


def ordered() -> Quantities:
    (order,) = Order.objects.all()
    return dict(order.lines.values_list("sku", "quantity"))


@pytest.mark.parametrize("moment", ["read", "written", "committed"])
def test_another_line_is_in_the_next_cart(
    shopper: Any, mug: Variant, kettle: Variant, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    threads = meanwhile(monkeypatch, moment, lambda: shopper.adds(kettle, 3))

    shopper.orders()
    threads[0].join()

    assert ordered() == {mug.sku: 2}
    assert shopper.next_cart() == {kettle.sku: 3}


@pytest.mark.parametrize("moment", ["read", "written"])
def test_more_of_a_line_is_in_the_next_cart(
    shopper: Any, mug: Variant, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    more = (lambda: shopper.adds(mug, 5)) if isinstance(shopper, ByApi) else (
        lambda: shopper.adds(mug, 3)
    )  # fmt: skip
    threads = meanwhile(monkeypatch, moment, more)

    shopper.orders()
    threads[0].join()

    assert ordered() == {mug.sku: 2}
    assert shopper.next_cart() == {mug.sku: 3}


def test_nothing_added_is_no_next_cart(shopper: Any, mug: Variant) -> None:
    shopper.orders()

    assert shopper.next_cart() == {}
    assert ordered() == {mug.sku: 2}


def test_next_cart_is_ordered_like_any_other(
    user: User | None, mug: Variant, kettle: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = ByApi(user)
    shopper.adds(mug, 2)
    meanwhile(monkeypatch, "read", lambda: shopper.adds(kettle, 3))
    shopper.orders()
    shopper.cart_id = shopper.api.get(f"/carts/{shopper.cart_id}/").json()["next_cart"]

    shopper.orders()

    bought = [dict(o.lines.values_list("sku", "quantity")) for o in Order.objects.order_by("id")]
    assert bought == [{mug.sku: 2}, {kettle.sku: 3}]


def test_cancelled_order_restores_what_was_in_it_and_no_more(
    mug: Variant, kettle: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_alice()
    shopper = ByApi(alice)
    shopper.adds(mug, 2)
    meanwhile(monkeypatch, "read", lambda: (shopper.adds(kettle, 3), shopper.adds(mug, 4)))
    shopper.orders()
    (cart,) = Cart.objects.filter(open=False)

    assert carts.find(cart.pk, user=alice).quantities == {mug.sku: 2}
    assert carts.reopen(cart.pk, user=alice).quantities == {mug.sku: 2, kettle.sku: 3}


def test_guests_cart_can_be_ordered_and_changed_again_once_its_order_is_cancelled(
    mug: Variant, kettle: Variant
) -> None:
    shopper = ByApi(None)
    shopper.adds(mug, 2)
    shopper.orders()
    shopper.adds(kettle, 1)
    assert shopper.next_cart() == {kettle.sku: 1}
    Order.objects.update(status="CANCELLED")

    shopper.adds(mug, 3)
    shopper.orders()

    assert dict(Order.objects.latest("id").lines.values_list("sku", "quantity")) == {mug.sku: 3}


def test_crash_before_the_cart_was_closed_loses_nothing(
    mug: Variant, kettle: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = ByApi(None)
    shopper.adds(mug, 2)
    with monkeypatch.context() as patch:
        patch.setattr(ordered_carts, "leave", lambda *_: False)
        shopper.orders()
    shopper.adds(kettle, 3)

    again = shopper.api.checkout(
        {
            "cart": shopper.cart_id,
            "email": "alice@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        }
    )

    assert (again.status_code, again.json()["code"]) == (409, "cart_already_ordered")
    assert shopper.next_cart() == {kettle.sku: 3}


def test_of_forty_lines_added_while_ordering_none_is_lost(user: User | None, mug: Variant) -> None:
    """Without stopping the order: a thread adds as fast as it can while another orders."""
    for _ in range(4):
        shopper = ByPage(user)
        others = [a_mug(stock=5) for _ in range(10)]
        shopper.adds(mug)
        shopper.reads_form()
        Order.objects.all().delete()

        thread = in_thread(lambda s=shopper, o=others: [s.adds(other) for other in o])
        shopper.orders()
        thread.join()

        assert shopper.next_cart() | ordered() == {v.sku: 1 for v in (mug, *others)}
        if user is not None:
            for sku in shopper.next_cart():
                carts.set_line(carts.of_user(user), sku, 0)


@pytest.mark.parametrize("moment", ["read"])
def test_control_closing_without_comparing_loses_the_line(
    mug: Variant, kettle: Variant, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """What the comparison in the order's transaction prevents."""
    shopper = ByApi(make_alice())
    shopper.adds(mug, 2)
    monkeypatch.setattr("apps.cart.customers._move_rest", lambda *_: None)
    meanwhile(monkeypatch, moment, lambda: shopper.adds(kettle, 3))

    shopper.orders()

    assert shopper.next_cart() == {}
    assert ordered() == {mug.sku: 2}
