"""Cached pages: five minutes, one filler, never shown again after a change, no need of Redis."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
from django.db import connection, transaction

from apps.catalog import browse, cache, categories
from apps.catalog.browse import details
from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant
from tests.factories import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    ProductOptionFactory,
    VariantFactory,
    a_mug,
)

REQUESTS = 12


@pytest.fixture(autouse=True)
def redis_is_trusted_again(monkeypatch):
    monkeypatch.setattr(cache, "_unavailable_until", 0.0)
    monkeypatch.setattr(cache, "_drop_failed", False)


@pytest.fixture
def mug(db):
    """A product with one of everything that its page shows."""
    product = ProductFactory(name="Mug", slug="mug", category=CategoryFactory(name="Mugs"))
    VariantFactory(product=product, sku="MUG", price_amount=1800)
    ProductOptionFactory(product=product)
    ProductImageFactory(product=product, path="/static/mug.svg")
    return product


@pytest.fixture
def commits(django_capture_on_commit_callbacks):
    """A block after which what waits for the commit has run."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


class SlowPage:
    """A fill that counts itself and takes as long as a busy database."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.fills = 0
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self) -> list[str]:
        with self._lock:
            self.fills += 1
        time.sleep(self._seconds)
        return ["page", str(self.fills)]


def many_requests(page: Callable[[], list[str]]) -> list[list[str] | None]:
    """REQUESTS threads request the same page at the same moment."""
    together = threading.Barrier(REQUESTS)

    def ask(_: int) -> list[str] | None:
        together.wait()
        return cache.remembered("test", "page", fill=page, decode=list)

    with ThreadPoolExecutor(REQUESTS) as shoppers:
        return list(shoppers.map(ask, range(REQUESTS)))


def age(kind: str, name: str, left: timedelta) -> None:
    """Let the page's time run down to `left`."""
    key = cache._Key(kind, name)
    cache.get_redis_connection("default").pexpire(key.page, left)


# --- Stampede -------------------------------------------------------------------------------------


@pytest.mark.race
def test_without_the_lock_every_request_fills(monkeypatch):
    """The control: without the lock each of these requests fills the cache."""
    monkeypatch.setattr(cache, "_lock", lambda key, token: True)
    all_at_once = threading.Barrier(REQUESTS, timeout=60)
    page = SlowPage()

    def fill() -> list[str]:
        all_at_once.wait()  # breaks if one of them waits for another
        return page()

    many_requests(fill)

    assert page.fills == REQUESTS


@pytest.mark.race
def test_one_of_a_crowd_fills_and_all_get_the_page():
    page = SlowPage()

    pages = many_requests(page)

    assert page.fills == 1
    assert pages == [["page", "1"]] * REQUESTS


@pytest.mark.race
def test_a_page_past_its_time_is_shown_once_more_while_one_refills_it():
    page, all_others_have_it = SlowPage(0), threading.Barrier(REQUESTS, timeout=60)
    cache.remembered("test", "page", fill=page, decode=list)
    age("test", "page", cache.STALE - timedelta(seconds=1))

    def refill() -> list[str]:
        all_others_have_it.wait()  # broken, if one of them waited for the refill
        return page()

    def ask(_: int) -> list[str] | None:
        shown = cache.remembered("test", "page", fill=refill, decode=list)
        if shown == ["page", "1"]:
            all_others_have_it.wait()
        return shown

    with ThreadPoolExecutor(REQUESTS) as shoppers:
        pages = list(shoppers.map(ask, range(REQUESTS)))

    assert page.fills == 2
    assert pages.count(["page", "1"]) == REQUESTS - 1
    assert cache.remembered("test", "page", fill=page, decode=list) == ["page", "2"]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_crowd_before_a_product_page_asks_the_database_once(monkeypatch):
    a_mug(slug="mug")
    real, reads = details._read_detail, []

    def read(slug):
        reads.append(slug)
        time.sleep(0.1)
        return real(slug)

    monkeypatch.setattr(details, "_read_detail", read)

    def ask(_):
        try:
            return browse.product_detail("mug")
        finally:
            connection.close()

    with ThreadPoolExecutor(REQUESTS) as shoppers:
        pages = list(shoppers.map(ask, range(REQUESTS)))

    assert reads == ["mug"]
    assert {page.slug for page in pages} == {"mug"}


def test_a_filler_that_fails_leaves_the_way_free():
    def fails():
        raise RuntimeError("database away")

    with pytest.raises(RuntimeError):
        cache.remembered("test", "page", fill=fails, decode=list)

    assert cache.remembered("test", "page", fill=lambda: ["page"], decode=list) == ["page"]


def test_a_filler_that_died_is_not_waited_for_longer_than_the_wait(monkeypatch):
    monkeypatch.setattr(cache, "WAIT", timedelta(milliseconds=100))
    assert cache._lock(cache._Key("test", "page"), "of a process that was killed")

    begun = time.monotonic()

    assert cache.remembered("test", "page", fill=lambda: ["page"], decode=list) == ["page"]
    assert time.monotonic() - begun < 1


# --- Change ---------------------------------------------------------------------------------------


def test_the_second_look_asks_no_database(mug, django_assert_num_queries):
    first = browse.product_detail("mug")

    with django_assert_num_queries(0):
        second = browse.product_detail("mug")

    assert first == second
    assert first.variants[0].price_amount == 1800


def test_a_page_lives_five_minutes(mug):
    browse.product_detail("mug")

    left = cache.get_redis_connection("default").pttl(cache._Key("product", "mug").page)

    assert left / 1000 - cache.STALE.total_seconds() == pytest.approx(300, abs=2)


CHANGES = {
    "product": lambda mug: mug.save(),
    "variant": lambda mug: Variant.objects.get(sku="MUG").save(),
    "new variant": lambda mug: VariantFactory(product=mug),
    "variant away": lambda mug: Variant.objects.get(sku="MUG").delete(),
    "option": lambda mug: ProductOption.objects.get().save(),
    "option away": lambda mug: ProductOption.objects.get().delete(),
    "image": lambda mug: ProductImage.objects.get().save(),
    "new image": lambda mug: ProductImageFactory(product=mug),
    "image away": lambda mug: ProductImage.objects.all().delete(),
    "category": lambda mug: Category.objects.get().save(),
    "another category": lambda mug: CategoryFactory(name="Lamps"),
    "product away": lambda mug: mug.delete(),
}


# A product without an active variant has no page.
GONE = ("product away", "variant away")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_drops_the_page(mug, commits, change):
    Product.objects.filter(slug="mug").update(name="Changed behind the signals' back")
    browse.product_detail("mug")
    Product.objects.filter(slug="mug").update(name="Cup")
    mug.name = "Cup"

    with commits():
        CHANGES[change](mug)

    after = browse.product_detail("mug")
    assert (after and after.name) == (None if change in GONE else "Cup")


def test_a_moved_category_drops_the_pages(mug, commits):
    kitchen = CategoryFactory(name="Kitchen")
    assert [c.slug for c in browse.product_detail("mug").trail] == ["mugs"]

    with commits():
        categories.move_category(Category.objects.get(slug="mugs"), kitchen, position="first-child")

    assert [c.slug for c in browse.product_detail("mug").trail] == ["kitchen", "mugs"]
    assert [node.slug for node in browse.category_tree()] == ["kitchen"]


def test_a_renamed_product_is_gone_from_its_old_address(mug, commits):
    browse.product_detail("mug")
    mug.slug = "cup"

    with commits():
        mug.save()

    assert browse.product_detail("mug") is None
    assert browse.product_detail("cup").slug == "cup"


def test_nothing_is_dropped_by_a_change_that_was_rolled_back(mug, commits):
    browse.product_detail("mug")

    with commits() as callbacks, pytest.raises(RuntimeError), transaction.atomic():
        mug.save()
        raise RuntimeError("rolled back")

    assert callbacks == []


def test_a_filler_that_read_before_the_change_cannot_bring_the_old_page_back():
    """The filler reads; the row changes and is dropped; only then the filler writes."""

    def slow_fill():
        cache.forget("test", "page")  # the change, while we hold the old row
        return ["old"]

    assert cache.remembered("test", "page", fill=slow_fill, decode=list) == ["old"]

    assert cache.remembered("test", "page", fill=lambda: ["new"], decode=list) == ["new"]


def test_a_page_that_is_missing_is_remembered_for_a_moment_only(db, commits):
    assert browse.product_detail("mug") is None
    left = cache.get_redis_connection("default").pttl(cache._Key("product", "mug").page)
    assert 0 < left <= 2000

    with commits():
        a_mug(slug="mug")

    assert browse.product_detail("mug").slug == "mug"


def test_the_page_holds_no_availability(mug):
    page = browse.product_detail("mug")

    assert not [n for n in vars(page) | vars(page.variants[0]) if "stock" in n or "avail" in n]


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"[]", b'{"a":1}', b"[[],", b"null"])
def test_what_another_version_wrote_is_made_anew(mug, rubbish):
    cache.get_redis_connection("default").set(cache._Key("product", "mug").page, rubbish)

    assert browse.product_detail("mug").slug == "mug"


# --- Without Redis --------------------------------------------------------------------------------


class Frozen:
    """A Redis that is there and does not answer."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, alias):
        self.asked += 1
        raise redis.TimeoutError("frozen")


def test_with_redis_away_pages_come_from_the_database(mug, monkeypatch):
    frozen = Frozen()
    monkeypatch.setattr(cache, "get_redis_connection", frozen)

    pages = [browse.product_detail("mug") for _ in range(5)]

    assert {page.slug for page in pages} == {"mug"}
    assert frozen.asked == 1  # one request waits half a second, the others do not


def test_a_change_commits_with_redis_away_and_shows_when_it_is_back(mug, commits, monkeypatch):
    browse.product_detail("mug")
    with monkeypatch.context() as freeze, commits():
        freeze.setattr(cache, "get_redis_connection", Frozen())
        mug.name = "Cup"
        mug.save()

    with monkeypatch.context() as freeze:  # the frozen moments are over
        freeze.setattr(cache, "_unavailable_until", 0.0)
        assert browse.product_detail("mug").name == "Cup"


# --- Prices ---------------------------------------------------------------------------------------


def test_a_product_costs_what_its_cheapest_active_variant_costs(db):
    product = ProductFactory()
    large = VariantFactory(product=product, price_amount=2500)
    small = VariantFactory(product=product, price_amount=1500, compare_at_amount=2000)

    def price():
        row = Product.objects.get(pk=product.pk)
        assert (product.price_amount, product.compare_at_amount) == (
            row.price_amount,
            row.compare_at_amount,
        )
        return row.price_amount, row.compare_at_amount

    assert price() == (1500, 2000)
    small.active = False
    small.save()
    assert price() == (2500, None)
    large.price_amount = 2400
    large.save()
    assert price() == (2400, None)
    large.delete()
    assert price() == (2400, None)  # nothing is sold: the last price stays, not $0.00


def test_an_old_copy_of_a_product_cannot_bring_its_old_price_back(db):
    old = ProductFactory()
    VariantFactory(product=Product.objects.get(pk=old.pk), price_amount=1500)
    assert old.price_amount == 0

    old.save()

    assert Product.objects.get(pk=old.pk).price_amount == 1500


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_clerks_at_two_variants_leave_the_lower_price():
    product = ProductFactory()
    variants = [VariantFactory(product=product, price_amount=9000) for _ in range(2)]
    together = threading.Barrier(2)

    def reprice(pk, price):
        try:
            with transaction.atomic():
                variant = Variant.objects.get(pk=pk)
                variant.price_amount = price
                together.wait()
                variant.save()
                time.sleep(0.1)  # the other one is under way now, and cannot see ours yet
        finally:
            connection.close()

    for round_ in range(5):
        prices = (1000 + round_, 2000 + round_)
        with ThreadPoolExecutor(2) as clerks:
            list(clerks.map(reprice, [v.pk for v in variants], prices))

        assert Product.objects.get(pk=product.pk).price_amount == min(prices)


def test_a_description_is_clean_however_it_is_saved(db):
    product = ProductFactory(description="<b onclick=x>hi</b><script>x()</script>")

    assert Product.objects.get(pk=product.pk).description == "<b>hi</b>"
