"""A checkout that is refused because there were too many keeps what was typed."""

import contextlib

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session

from apps.catalog.models import Variant
from apps.core import rate_limits
from apps.orders.models import Order
from tests.web.conftest import Visitor


@pytest.fixture(params=["address", "cart"])
def reached(request: pytest.FixtureRequest, visitor: Visitor, mug: Variant) -> dict[str, str]:
    """The filled form of a visitor whose address, or whose cart, may order no more for now."""
    visitor.add(mug)
    form = visitor.checkout_form(line1="7 Larch Lane", phone="503 555 0100")
    if request.param == "address":
        use_up(rate_limits.CHECKOUTS_OF_ADDRESS, "127.0.0.1")
    else:
        use_up(rate_limits.CHECKOUTS_OF_CART, visitor.session["cart"]["id"])
    return form


def test_typed_form_is_kept_where_too_many_orders_are_refused(
    visitor: Visitor, reached: dict[str, str]
) -> None:
    answer = visitor.post("/checkout/", reached)

    assert (answer.status_code, Order.objects.count()) == (429, 0)
    assert "Retry-After" in answer
    page = visitor.get("/checkout/").content.decode()
    assert 'value="7 Larch Lane"' in page
    assert 'value="alice@example.com"' in page


def test_card_number_is_not_kept(visitor: Visitor, reached: dict[str, str]) -> None:
    sent = visitor.post("/checkout/", reached | {"line2": "4242 4242 4242 4242"})

    assert sent.status_code in (400, 429)
    assert "4242" not in str(dict(visitor.session))


@pytest.mark.django_db
@pytest.mark.parametrize("cookie", ["", "a" * 32])
def test_request_without_a_session_makes_none(cookie: str) -> None:
    use_up(rate_limits.CHECKOUTS_OF_ADDRESS, "127.0.0.1")
    stranger = Visitor()
    stranger.cookies[settings.SESSION_COOKIE_NAME] = cookie

    assert stranger.post("/checkout/", {"line1": "7 Larch Lane"}).status_code == 429

    assert not Session.objects.exists()


def use_up(limit: rate_limits.Limit, subject: str) -> None:
    with contextlib.suppress(rate_limits.LimitReached):
        while True:
            rate_limits.count(limit, subject)
