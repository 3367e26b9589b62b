"""One address cannot fill the memory that holds all guests' carts, by page or by API."""

from dataclasses import replace

import pytest

from apps.api.carts import NewCart
from apps.catalog.models import Variant
from apps.core import rate_limits
from tests.api.conftest import Api, problem
from tests.factories import a_mug, make_alice
from tests.web.conftest import Visitor

OTHER_ADDRESS = "198.51.100.9"


@pytest.fixture
def mug(db: None) -> Variant:
    return a_mug(stock=10)


@pytest.fixture(params=["NEW_CARTS_OF_ADDRESS", "NEW_CARTS_OF_ADDRESS_A_DAY"])
def three_carts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = replace(getattr(rate_limits, request.param), amount=3)
    monkeypatch.setattr(rate_limits, request.param, limit)
    if request.param == "NEW_CARTS_OF_ADDRESS":
        monkeypatch.setattr(NewCart, "limits", (limit,))


@pytest.fixture
def three_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = replace(rate_limits.CART_WRITES_OF_ADDRESS_A_DAY, amount=3)
    monkeypatch.setattr(rate_limits, "CART_WRITES_OF_ADDRESS_A_DAY", limit)


def test_carts_made_by_page_and_by_api_are_counted_together(
    mug: Variant, three_carts: None
) -> None:
    for _ in range(2):
        assert Visitor().add(mug).status_code == 302
    assert Api("127.0.0.1").post("/carts/").status_code == 201

    refused = Visitor().add(mug)

    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    problem(Api("127.0.0.1").post("/carts/"), 429, "rate_limited")
    assert Visitor(REMOTE_ADDR=OTHER_ADDRESS).add(mug).status_code == 302
    assert Api(OTHER_ADDRESS).post("/carts/").status_code == 201


def test_cart_can_be_used_after_the_address_has_made_too_many(
    mug: Variant, three_carts: None
) -> None:
    alice = Visitor()
    alice.add(mug)
    for _ in range(3):
        Visitor().add(mug)

    assert alice.add(mug).status_code == 302
    assert alice.get("/cart/").status_code == 200


def test_lines_of_all_carts_of_an_address_are_counted(mug: Variant, three_writes: None) -> None:
    api = Api("127.0.0.1")
    cart = api.new_cart()["id"]
    path = f"/carts/{cart}/lines/{mug.sku}/"
    assert api.put(path, {"quantity": 1}).status_code == 200
    browser = Visitor()
    assert browser.add(mug).status_code == 302
    assert browser.post(f"/cart/lines/{mug.sku}/", {"quantity": "2"}).status_code != 429

    problem(api.put(path, {"quantity": 2}), 429, "rate_limited")
    assert browser.add(mug).status_code == 429
    assert api.get(f"/carts/{cart}/").json()["lines"][0]["quantity"] == 1


def test_carts_of_customers_are_stored_elsewhere_and_not_counted(
    mug: Variant, three_writes: None, three_carts: None
) -> None:
    alice = make_alice()
    api = Api("127.0.0.1").as_user(alice)
    browser = Visitor()
    browser.force_login(alice)
    for _ in range(5):
        assert browser.add(mug).status_code == 302
        cart = api.post("/carts/")
        if cart.status_code == 201:  # the limit per minute counts every request
            path = f"/carts/{cart.json()['id']}/lines/{mug.sku}/"
            assert api.put(path, {"quantity": 1}).status_code == 200
