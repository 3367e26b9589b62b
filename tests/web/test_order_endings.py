"""How orders, returns and few goods are told: in plain words, and not before they are true."""

import re

import pytest

from apps.catalog import browse
from apps.catalog.models import Variant
from apps.inventory.models import StockItem
from apps.orders import transitions
from apps.orders.fulfilment import returns
from apps.orders.models import Order, Saga
from apps.orders.status import STATUSES
from apps.orders.transitions import Transition
from apps.web import product_cards
from apps.web.order_endings import CALLED_OFF, UNPAID, shown_of
from tests.factories import ProductOptionFactory, StockItemFactory, VariantFactory, make_alice
from tests.web.conftest import Visitor

S = Order.Status


@pytest.fixture
def order(visitor: Visitor, mug: Variant) -> Order:
    visitor.buy(mug, 2)
    return Order.objects.get()


def page_of(visitor: Visitor, order: Order) -> str:
    return visitor.get(f"/orders/{order.pk}/").content.decode()


def stage(page: str, code: str) -> tuple[str, str]:
    """Class and words of a stage of the progress bar."""
    found = re.search(rf'<li class="(\w+)" data-stage="{code}"[^>]*>([^<]+)</li>', page)
    assert found, page
    return found[1], found[2]


def test_paid_is_not_said_before_it_is(visitor: Visitor, order: Order) -> None:
    transitions.make([Transition(order.pk, S.PAYMENT_AUTHORIZED)])
    assert stage(page_of(visitor, order), "paid") == ("now", "Payment")

    transitions.make([Transition(order.pk, S.CONFIRMED)])

    assert stage(page_of(visitor, order), "paid") == ("done", "Paid")


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("declined", UNPAID),
        ("payment_refused", UNPAID),
        ("expired", UNPAID),
        ("card_held_back", UNPAID),
        ("shopper", CALLED_OFF),
        ("staff", CALLED_OFF),
        ("sold_out", CALLED_OFF),
        ("", CALLED_OFF),
    ],
)
def test_cancellation_is_an_error_only_where_the_payment_failed(
    order: Order, reason: str, shown: object
) -> None:
    Order.objects.update(status=S.CANCELLED)
    Saga.objects.update(cancel_reason=reason)

    assert shown_of(Order.objects.get()) == shown


def test_other_statuses_are_shown_by_their_table(order: Order) -> None:
    for status in set(S.values) - {S.CANCELLED}:
        order.status = status
        assert shown_of(order).headline == STATUSES[status].headline


def test_list_of_orders_says_the_same_in_one_query_for_all(
    visitor: Visitor, mug: Variant, django_assert_max_num_queries: object
) -> None:
    visitor.force_login(make_alice())
    for _ in range(2):
        visitor.buy(mug)
    first, second = Order.objects.order_by("pk")
    Order.objects.update(status=S.CANCELLED)
    Saga.objects.filter(order=first).update(cancel_reason="declined")
    Saga.objects.filter(order=second).update(cancel_reason="shopper")

    page = visitor.get("/account/orders/").content.decode()

    assert '<span class="tag bad">not paid</span>' in page
    assert '<span class="tag">called off</span>' in page


def test_times_name_their_zone_without_scripts(visitor: Visitor, order: Order) -> None:
    page = page_of(visitor, order)

    times = re.findall(r"<time [^>]*>([^<]+)</time>", page)
    assert times
    assert all(words.endswith(" UTC") for words in times)
    assert len(times) == page.count("data-time=")


class TestReturns:
    @pytest.fixture
    def delivered(self, order: Order) -> Order:
        Order.objects.update(status=S.DELIVERED)
        return Order.objects.get()

    def test_refusal_names_goods(self, visitor: Visitor, delivered: Order, mug: Variant) -> None:
        form = {f"quantity-{mug.sku}": "9", "reason": "Too blue."}

        page = visitor.post(f"/orders/{delivered.pk}/return/", form).content.decode()

        assert "At most 2 of Stoneware Mug can come back." in page
        assert f"of {mug.sku}" not in page

    def test_each_has_address_number_and_what_to_do(
        self, visitor: Visitor, delivered: Order, mug: Variant
    ) -> None:
        for _ in range(2):
            returns.request_return(delivered.pk, lines=[(mug.sku, 1)], reason="Too blue.")

        page = page_of(visitor, delivered)

        for number in (f"{delivered.number}-R1", f"{delivered.number}-R2"):
            assert f'Your return <span class="number">{number}</span>' in page
        assert "48 Mill Lane" in page
        assert "on the parcel" in page
        assert mug.sku not in page.split("Your return")[1].split("</section>")[0]


class TestCards:
    """What a card of a list says about stock."""

    def words(self) -> str:
        (card,) = product_cards.cards(browse.products())
        return card.stock_words

    def test_few_of_one_variant_are_counted(self, mug: Variant) -> None:
        assert self.words() == "Only 3 left"

    def test_few_of_several_variants_are_not_added_up(self, mug: Variant) -> None:
        StockItem.objects.update(on_hand=1)
        ProductOptionFactory(product=mug.product, name="Colour", values=["Pine", "Clay"])
        other = VariantFactory(product=mug.product, options={"Colour": "Clay"}, stock=None)
        StockItemFactory(variant=other, on_hand=1)

        assert self.words() == "Last few"

    def test_enough_and_none_are_not_counted(self, mug: Variant) -> None:
        StockItem.objects.update(on_hand=4)
        assert self.words() == ""
        StockItem.objects.update(on_hand=0)
        assert self.words() == ""
