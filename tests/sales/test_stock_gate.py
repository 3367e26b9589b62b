"""The gate turns away who comes too late, and is never believed about what is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Variant
from apps.inventory import stock
from apps.inventory.allocation import Shortage, ShortLine
from apps.orders.cancel import request_cancellation
from apps.orders.errors import OutOfStock, PriceChanged
from apps.orders.models import Order
from apps.sales import gate, gate_counts, on_sale
from apps.sales.gate import Passage
from tests.factories import a_flash_sale, a_kettle, a_mug
from tests.orders.checkouts import a_checkout, everything, place
from tests.orders.purchases import Shop, at_once


@pytest.fixture
def counts(redis_of_tests: "redis.Redis") -> Iterator["redis.Redis"]:
    """The gate's own Redis database."""
    with redis.Redis.from_url(settings.SALES_REDIS_URL, decode_responses=True) as client:
        yield client


def left(counts: "redis.Redis", variant: Variant) -> int | None:
    found: Any = counts.get(f"gate:left:{variant.sku}")
    return None if found is None else int(found)


def take(*lines: tuple[Variant, int], key: str = "k") -> Passage | Shortage | None:
    return gate.take(key, [(variant.sku, quantity) for variant, quantity in lines])


def a_second_later(counts: "redis.Redis") -> None:
    """The next question rebuilds."""
    counts.delete("gate:rebuild")
    gate_counts._rebuild_at = 0.0


@contextmanager
def no_rebuild(counts: "redis.Redis") -> Iterator[None]:
    """What the gate counts stays as it is: as if somebody had just rebuilt it."""
    counts.set("gate:rebuild", 1, px=3_600_000)
    yield
    a_second_later(counts)


@pytest.mark.django_db
def test_sku_that_is_on_no_sale_has_no_gate() -> None:
    on_sale.forget()

    assert take((a_mug(), 1)) is None


@pytest.mark.django_db
def test_sale_without_a_gate_has_none() -> None:
    mug = a_mug()
    a_flash_sale(mug, stock_gate=False)

    assert take((mug, 1)) is None


@pytest.mark.django_db
def test_gate_counts_what_postgresql_has_for_sale_and_takes_from_it(counts: "redis.Redis") -> None:
    mug = a_mug(stock=3)
    a_flash_sale(mug)

    passage = take((mug, 2))

    assert passage == Passage("gate:passage:k", ((mug.sku, 2),), takes=True)
    assert left(counts, mug) == 1


@pytest.mark.django_db
def test_who_wants_more_than_is_left_is_turned_away_with_what_is_left(
    counts: "redis.Redis",
) -> None:
    mug = a_mug(stock=3)
    a_flash_sale(mug)
    take((mug, 2), key="alice")

    assert take((mug, 2), key="bob") == Shortage((ShortLine(mug.sku, 1),))
    assert left(counts, mug) == 1


@pytest.mark.django_db
def test_several_skus_are_taken_together_or_not_at_all(counts: "redis.Redis") -> None:
    mug, kettle = a_mug(stock=3), a_kettle(stock=1)
    a_flash_sale(mug, kettle)
    take((kettle, 1), key="alice")

    assert take((mug, 1), (kettle, 1), key="bob") == Shortage((ShortLine(kettle.sku, 0),))

    assert (left(counts, mug), left(counts, kettle)) == (3, 0)


@pytest.mark.django_db
def test_same_key_passes_again_and_takes_nothing_more(counts: "redis.Redis") -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    take((mug, 1))

    again = take((mug, 1))

    assert isinstance(again, Passage) and not again.takes
    gate.give_back(again)  # it took nothing, so it gives nothing
    assert left(counts, mug) == 0


@pytest.mark.django_db
def test_giving_back_twice_gives_back_once(counts: "redis.Redis") -> None:
    mug = a_mug(stock=3)
    a_flash_sale(mug)
    passage = take((mug, 2))
    assert isinstance(passage, Passage)

    gate.give_back(passage)
    gate.give_back(passage)

    assert left(counts, mug) == 3


@pytest.mark.django_db
def test_emptied_redis_lets_everybody_through_until_it_is_counted_again(
    counts: "redis.Redis",
) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    take((mug, 1))
    counts.flushdb()

    gate_counts.forget()  # nobody has anything under way

    with no_rebuild(counts):
        assert take((mug, 5), key="bob") == Passage("gate:passage:bob", (), takes=True)
    assert take((mug, 5), key="carol") == Shortage((ShortLine(mug.sku, 1),))


@pytest.mark.django_db
def test_count_that_is_wrong_is_right_again_after_the_next_rebuild(counts: "redis.Redis") -> None:
    mug = a_mug(stock=2)
    a_flash_sale(mug)
    take((mug, 1), key="whose process died")
    take((mug, 1), key="whose process died, too")
    with no_rebuild(counts):
        assert isinstance(take((mug, 1), key="bob"), Shortage)

    assert isinstance(take((mug, 1), key="bob"), Passage)


@pytest.mark.django_db
def test_redis_away_lets_everybody_through(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    mug = a_mug(stock=0)
    a_flash_sale(mug)
    settings.SALES_REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)

    assert take((mug, 1)) is None

    monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)


# --- In front of the intake ---------------------------------------------------------------------


def test_sold_out_checkout_never_reaches_postgresql(open_shop: None, counts: "redis.Redis") -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    place(a_checkout((mug, 1)))
    before = everything()

    with no_rebuild(counts), CaptureQueriesContext(connection) as asked:
        with pytest.raises(OutOfStock) as refused:
            place(a_checkout((mug, 1)))

    assert refused.value.lines == (ShortLine(mug.sku, 0),)
    assert len(asked) == 0
    assert everything() == before


def test_retry_of_the_last_unit_is_answered_with_her_own_order(open_shop: None) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    request = a_checkout((mug, 1))
    first = place(request)

    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)


def test_order_of_before_the_sale_is_told_to_who_asks_again(open_shop: None) -> None:
    """Pressed before the doors opened, answered by nobody, pressed again when all is gone."""
    mug = a_mug(stock=1)
    request = a_checkout((mug, 1))
    first = place(request)
    a_flash_sale(mug)
    with pytest.raises(OutOfStock):
        place(a_checkout((mug, 1)))

    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)


def test_order_is_told_to_who_asks_again_after_redis_was_emptied(
    open_shop: None, counts: "redis.Redis"
) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    request = a_checkout((mug, 1))
    first = place(request)
    counts.flushdb()
    gate_counts.forget()  # another process, which knows nothing of it

    with pytest.raises(OutOfStock):
        place(a_checkout((mug, 1)))
    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)
    assert gate.look(request.key, request.lines) is None, "the turnstile lets her pass as well"


class TestLoss:
    """Of the passages of those who are still on their way: nobody could tell who they are."""

    @pytest.fixture
    def mug(self, db: None) -> Variant:
        mug = a_mug(stock=1)
        a_flash_sale(mug)
        take((mug, 1))
        return mug

    def assert_open(self, mug: Variant, counts: "redis.Redis") -> None:
        a_second_later(counts)
        assert gate.look("bob", [(mug.sku, 9)]) is None
        assert take((mug, 9), key="bob") == Passage("gate:passage:bob", (), takes=True)
        assert 0 < counts.pttl("gate:open") <= gate_counts.OPEN_FOR.total_seconds() * 1000

    def assert_closed_afterwards(self, mug: Variant, counts: "redis.Redis") -> None:
        counts.delete("gate:open", f"gate:recalled:{mug.sku}")  # as time does
        a_second_later(counts)
        assert isinstance(take((mug, 9), key="carol"), Shortage)
        assert isinstance(gate.look("carol", [(mug.sku, 9)]), Shortage)

    def test_of_an_emptied_redis_opens_the_gate_for_a_while(
        self, mug: Variant, counts: "redis.Redis"
    ) -> None:
        counts.flushdb()
        self.assert_open(mug, counts)
        self.assert_closed_afterwards(mug, counts)

    def test_of_a_redis_that_was_away_opens_it_before_anybody_is_turned_away(
        self, mug: Variant, counts: "redis.Redis", monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        url = settings.SALES_REDIS_URL
        monkeypatch.setattr(
            gate_counts.redis, "_away_until", 0.0
        )  # so it is when this test is over
        settings.SALES_REDIS_URL = "redis://127.0.0.1:1/0"
        assert take((mug, 1), key="went past") is None
        settings.SALES_REDIS_URL = url
        monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)

        assert not isinstance(take((mug, 9), key="at once"), Shortage)
        self.assert_open(mug, counts)
        self.assert_closed_afterwards(mug, counts)

    def test_is_none_where_nothing_was_lost(self, mug: Variant, counts: "redis.Redis") -> None:
        a_second_later(counts)
        assert isinstance(take((mug, 9), key="bob"), Shortage)
        assert not counts.exists("gate:open")


def test_uncounted_passage_is_given_back_without_units(counts: "redis.Redis", db: None) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    with no_rebuild(counts):
        passage = take((mug, 1))
        assert isinstance(passage, Passage)
        gate.give_back(passage)
    assert left(counts, mug) is None
    assert not counts.exists(passage.name)


def test_refused_checkout_gives_its_units_back(open_shop: None, counts: "redis.Redis") -> None:
    mug = a_mug(stock=2)
    a_flash_sale(mug)

    with pytest.raises(PriceChanged):
        place(a_checkout((mug, 2), expected_total=(1, "USD")))

    assert left(counts, mug) == 2


def test_count_above_the_truth_sells_nothing_twice_and_is_not_given_back(
    open_shop: None, counts: "redis.Redis"
) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    place(a_checkout((mug, 1)))
    counts.set(f"gate:left:{mug.sku}", 2)

    with no_rebuild(counts), pytest.raises(OutOfStock):
        place(a_checkout((mug, 1)))

    assert Order.objects.count() == 1
    assert left(counts, mug) == 1


@pytest.mark.race
def test_a_crowd_buys_every_unit_once_through_the_gate(open_shop: None) -> None:
    mug = a_mug(stock=7)
    a_flash_sale(mug)

    answers = at_once(30, lambda number: place(a_checkout((mug, 1))))

    sold = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(sold) == 7
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} == {OutOfStock}
    assert Order.objects.count() == 7


def test_cancelled_orders_units_can_be_bought_again_after_the_next_rebuild(
    shop: Shop, counts: "redis.Redis"
) -> None:
    rarity = a_mug(stock=1)
    a_flash_sale(rarity)
    cancelled = shop.place((rarity, 1))
    request_cancellation(cancelled, reason="shopper")
    shop.run()
    a_second_later(counts)

    bought = shop.place_confirmed((rarity, 1))

    assert stock.availability([rarity.sku]) == {rarity.sku: 0}
    assert bought != cancelled
