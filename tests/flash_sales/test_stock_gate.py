"""The stock gate refuses checkouts of what is sold out, and never decides what is sold."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Variant
from apps.flash_sales import active_sales, gate, gate_counts
from apps.flash_sales.gate import Passage
from apps.inventory import stock
from apps.inventory.allocation import Shortage, ShortLine
from apps.orders.errors import OutOfStock, PriceChanged
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order
from tests.factories import a_flash_sale, a_kettle, a_mug
from tests.orders.checkouts import a_checkout, everything, place
from tests.orders.purchases import Shop, at_once


@pytest.fixture
def counts(redis_of_tests: "redis.Redis") -> Iterator["redis.Redis"]:
    """The gate's own Redis database."""
    with redis.Redis.from_url(settings.FLASH_SALES_REDIS_URL, decode_responses=True) as client:
        yield client


def left(counts: "redis.Redis", variant: Variant) -> int | None:
    found: Any = counts.get(f"gate:left:{variant.sku}")
    return None if found is None else int(found)


def reserve(*lines: tuple[Variant, int], key: str = "k") -> Passage | Shortage | None:
    return gate.reserve(key, [(variant.sku, quantity) for variant, quantity in lines])


def a_second_later(counts: "redis.Redis") -> None:
    """Make the next call rebuild the counts."""
    counts.delete("gate:rebuild")
    gate_counts._rebuild_at = 0.0


@contextmanager
def no_rebuild(counts: "redis.Redis") -> Iterator[None]:
    """Keep the counts as they are, as if they had just been rebuilt."""
    counts.set("gate:rebuild", 1, px=3_600_000)
    yield
    a_second_later(counts)


@pytest.mark.django_db
def test_sku_that_is_on_no_sale_has_no_gate() -> None:
    active_sales.forget()

    assert reserve((a_mug(), 1)) is None


@pytest.mark.django_db
def test_sale_without_a_gate_has_none() -> None:
    mug = a_mug()
    a_flash_sale(mug, stock_gate=False)

    assert reserve((mug, 1)) is None


@pytest.mark.django_db
def test_gate_counts_what_postgresql_has_for_sale_and_reserves_it(counts: "redis.Redis") -> None:
    mug = a_mug(stock=3)
    a_flash_sale(mug)

    passage = reserve((mug, 2))

    assert passage == Passage("gate:passage:k", ((mug.sku, 2),), takes=True)
    assert left(counts, mug) == 1


@pytest.mark.django_db
def test_checkout_of_more_than_is_left_is_refused_with_what_is_left(
    counts: "redis.Redis",
) -> None:
    mug = a_mug(stock=3)
    a_flash_sale(mug)
    reserve((mug, 2), key="alice")

    assert reserve((mug, 2), key="bob") == Shortage((ShortLine(mug.sku, 1),))
    assert left(counts, mug) == 1


@pytest.mark.django_db
def test_several_skus_are_reserved_together_or_not_at_all(counts: "redis.Redis") -> None:
    mug, kettle = a_mug(stock=3), a_kettle(stock=1)
    a_flash_sale(mug, kettle)
    reserve((kettle, 1), key="alice")

    assert reserve((mug, 1), (kettle, 1), key="bob") == Shortage((ShortLine(kettle.sku, 0),))

    assert (left(counts, mug), left(counts, kettle)) == (3, 0)


@pytest.mark.django_db
def test_same_key_is_admitted_again_and_reserves_nothing_more(counts: "redis.Redis") -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    reserve((mug, 1))

    again = reserve((mug, 1))

    assert isinstance(again, Passage) and not again.takes
    gate.release(again)  # it reserved nothing, so it releases nothing
    assert left(counts, mug) == 0


@pytest.mark.django_db
def test_releasing_twice_releases_once(counts: "redis.Redis") -> None:
    mug = a_mug(stock=3)
    a_flash_sale(mug)
    passage = reserve((mug, 2))
    assert isinstance(passage, Passage)

    gate.release(passage)
    gate.release(passage)

    assert left(counts, mug) == 3


@pytest.mark.django_db
def test_emptied_redis_admits_every_checkout_until_it_is_rebuilt(
    counts: "redis.Redis",
) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    reserve((mug, 1))
    counts.flushdb()

    gate_counts.forget()  # no checkout is running

    with no_rebuild(counts):
        assert reserve((mug, 5), key="bob") == Passage("gate:passage:bob", (), takes=True)
    assert reserve((mug, 5), key="carol") == Shortage((ShortLine(mug.sku, 1),))


@pytest.mark.django_db
def test_count_that_is_wrong_is_right_again_after_the_next_rebuild(counts: "redis.Redis") -> None:
    mug = a_mug(stock=2)
    a_flash_sale(mug)
    reserve((mug, 1), key="of a process that died")
    reserve((mug, 1), key="of a second process that died")
    with no_rebuild(counts):
        assert isinstance(reserve((mug, 1), key="bob"), Shortage)

    assert isinstance(reserve((mug, 1), key="bob"), Passage)


@pytest.mark.django_db
def test_every_checkout_is_admitted_while_redis_is_down(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    mug = a_mug(stock=0)
    a_flash_sale(mug)
    settings.FLASH_SALES_REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)

    assert reserve((mug, 1)) is None

    monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)


# --- Before the intake ---------------------------------------------------------------------------


def test_sold_out_checkout_never_reaches_postgresql(open_shop: None, counts: "redis.Redis") -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    place(a_checkout((mug, 1)))
    before = everything()

    with no_rebuild(counts), CaptureQueriesContext(connection) as queries:
        with pytest.raises(OutOfStock) as refused:
            place(a_checkout((mug, 1)))

    assert refused.value.lines == (ShortLine(mug.sku, 0),)
    assert len(queries) == 0
    assert everything() == before


def test_retry_of_the_last_unit_is_answered_with_its_own_order(open_shop: None) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    request = a_checkout((mug, 1))
    first = place(request)

    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)


def test_retry_of_an_order_from_before_the_sale_is_replayed(open_shop: None) -> None:
    """Ordered before the sale, without an answer, and sent again when everything is sold."""
    mug = a_mug(stock=1)
    request = a_checkout((mug, 1))
    first = place(request)
    a_flash_sale(mug)
    with pytest.raises(OutOfStock):
        place(a_checkout((mug, 1)))

    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)


def test_retry_is_replayed_after_redis_was_emptied(open_shop: None, counts: "redis.Redis") -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    request = a_checkout((mug, 1))
    first = place(request)
    counts.flushdb()
    gate_counts.forget()  # as in another process

    with pytest.raises(OutOfStock):
        place(a_checkout((mug, 1)))
    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)
    passage = gate.reserve(request.key, request.lines)
    assert isinstance(passage, Passage)
    assert not passage.takes, "the key has passed before"


class TestLoss:
    """When the passages of running checkouts are lost, nothing can tell which keys they were."""

    @pytest.fixture
    def mug(self, db: None) -> Variant:
        mug = a_mug(stock=1)
        a_flash_sale(mug)
        reserve((mug, 1))
        return mug

    def assert_open(self, mug: Variant, counts: "redis.Redis") -> None:
        a_second_later(counts)
        assert reserve((mug, 9), key="bob") == Passage("gate:passage:bob", (), takes=True)
        assert 0 < counts.pttl("gate:open") <= gate_counts.OPEN_FOR.total_seconds() * 1000

    def assert_closed_afterwards(self, mug: Variant, counts: "redis.Redis") -> None:
        counts.delete("gate:open", f"gate:recalled:{mug.sku}")  # as they expire
        a_second_later(counts)
        assert isinstance(reserve((mug, 9), key="carol"), Shortage)

    def test_of_an_emptied_redis_opens_the_gate_for_a_while(
        self, mug: Variant, counts: "redis.Redis"
    ) -> None:
        counts.flushdb()
        self.assert_open(mug, counts)
        self.assert_closed_afterwards(mug, counts)

    def test_of_a_redis_that_was_down_opens_it_before_a_checkout_is_refused(
        self, mug: Variant, counts: "redis.Redis", monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        url = settings.FLASH_SALES_REDIS_URL
        monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)  # restored after the test
        settings.FLASH_SALES_REDIS_URL = "redis://127.0.0.1:1/0"
        assert reserve((mug, 1), key="bypassed the gate") is None
        settings.FLASH_SALES_REDIS_URL = url
        monkeypatch.setattr(gate_counts.redis, "_away_until", 0.0)

        assert not isinstance(reserve((mug, 9), key="at once"), Shortage)
        self.assert_open(mug, counts)
        self.assert_closed_afterwards(mug, counts)

    def test_is_none_where_nothing_was_lost(self, mug: Variant, counts: "redis.Redis") -> None:
        a_second_later(counts)
        assert isinstance(reserve((mug, 9), key="bob"), Shortage)
        assert not counts.exists("gate:open")


def test_uncounted_passage_is_released_without_units(counts: "redis.Redis", db: None) -> None:
    mug = a_mug(stock=1)
    a_flash_sale(mug)
    with no_rebuild(counts):
        passage = reserve((mug, 1))
        assert isinstance(passage, Passage)
        gate.release(passage)
    assert left(counts, mug) is None
    assert not counts.exists(passage.name)


def test_refused_checkout_releases_its_units(open_shop: None, counts: "redis.Redis") -> None:
    mug = a_mug(stock=2)
    a_flash_sale(mug)

    with pytest.raises(PriceChanged):
        place(a_checkout((mug, 2), expected_total=(1, "USD")))

    assert left(counts, mug) == 2


def test_count_that_is_too_high_sells_nothing_twice_and_is_not_released(
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
def test_concurrent_checkouts_buy_every_unit_once_through_the_gate(open_shop: None) -> None:
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
    rare = a_mug(stock=1)
    a_flash_sale(rare)
    cancelled = shop.place((rare, 1))
    request_cancellation(cancelled)
    shop.run()
    a_second_later(counts)

    bought = shop.place_confirmed((rare, 1))

    assert stock.availability([rare.sku]) == {rare.sku: 0}
    assert bought != cancelled
