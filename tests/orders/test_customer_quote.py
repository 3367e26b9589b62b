"""One quote for page, API and intake: what one says a checkout costs, the others say too."""

from __future__ import annotations

import pytest

from apps.catalog.models import Variant
from apps.orders.errors import NotQuotable
from apps.orders.intake import customer_quote, pricing
from apps.orders.intake.checkout_request import CheckoutRequest
from apps.promos import uses
from apps.promos.models import Promo
from tests.factories import ADDRESS, PromoFactory, RedemptionFactory, a_mug, make_alice
from tests.orders.checkouts import a_checkout, pending, place, together

pytestmark = pytest.mark.usefixtures("open_shop")


@pytest.fixture
def mug() -> Variant:
    return a_mug(stock=100, price=1800)


@pytest.fixture
def used() -> Promo:
    """A code that alice@example.com has used, once and paid."""
    promo = PromoFactory(code="WELCOME", customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="alice@example.com", paid=True)
    return promo


def shown_on_the_page(request: CheckoutRequest) -> tuple[int, list[str]]:
    quote = customer_quote.quote_for(
        request.lines,
        email=request.email,
        user_id=request.user_id,
        promo_codes=request.promo_codes,
        country=ADDRESS["country"],
        region=ADDRESS["region"],
        shipping_method=request.shipping_method,
    )
    return quote.total_amount, [problem.code for problem in quote.problems]


@pytest.mark.parametrize("email", ["alice@example.com", "Alice+shop@example.com"])
def test_used_code_is_told_by_its_own_name_and_never_as_a_changed_total(
    mug: Variant, used: Promo, email: str
) -> None:
    request = a_checkout((mug, 1), promo_codes=("WELCOME",), email=email)
    total, problems = shown_on_the_page(request)
    assert problems == ["promo_used"]

    for expected in ((total, "USD"), None):
        with pytest.raises(NotQuotable) as refused:
            place(request._replace(expected_total=expected))
        assert [problem.code for problem in refused.value.problems] == ["promo_used"]

    accepted = place(request._replace(promo_codes=(), expected_total=(total, "USD")))
    assert accepted.answer["order"]["total"]["amount"] == "23.99"


def test_code_that_an_account_used_under_another_address(mug: Variant) -> None:
    alice = make_alice()
    promo = PromoFactory(code="WELCOME", customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="old@example.com", user_id=alice.pk)
    request = a_checkout(
        (mug, 1), promo_codes=("WELCOME",), email="new@example.com", user_id=alice.pk
    )
    assert shown_on_the_page(request)[1] == ["promo_used"]
    with pytest.raises(NotQuotable):
        place(request)


def test_another_customer_of_the_same_batch_is_not_refused(mug: Variant, used: Promo) -> None:
    alices, bobs = (
        a_checkout((mug, 1), promo_codes=("WELCOME",), email=f"{name}@example.com")
        for name in ("alice", "bob")
    )
    refused, accepted = together(alices, bobs)
    assert isinstance(refused, NotQuotable)
    assert accepted.answer["order"]["total"]["amount"] == "22.19"


def test_uses_are_read_once_for_a_whole_batch(
    mug: Variant, used: Promo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    really = uses.live

    def live(promo_ids, customers):  # type: ignore[no-untyped-def]
        asked.append(len(set(customers)))
        return really(promo_ids, customers)

    monkeypatch.setattr(uses, "live", live)
    batch = [
        pending(a_checkout((mug, 1), promo_codes=("WELCOME",), email=f"shopper{n}@example.com"))
        for n in range(5)
    ]
    batch.append(pending(a_checkout((mug, 1))))

    pricing.price(batch, {})

    assert asked == [5], "and not for those without a code"


def test_batch_without_limited_codes_asks_for_no_uses(
    mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    PromoFactory(code="FIVE")

    def must_not_ask(*_: object) -> None:
        raise AssertionError("a query for nothing")

    monkeypatch.setattr(uses, "live", must_not_ask)
    pricing.price([pending(a_checkout((mug, 1), promo_codes=("FIVE",)))], {})
