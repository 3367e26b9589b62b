"""First come, first served, at the sale's rate; no one jumps the queue, no place is lost."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from apps.flash_sales import active_sales, tickets, waiting_room
from apps.flash_sales.active_sales import Sale
from apps.flash_sales.models import FlashSale
from apps.flash_sales.waiting_room import NoSuchRoom, NotYourTurn, Place
from tests.factories import a_flash_sale, a_mug
from tests.orders.checkouts import a_checkout, everything, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def rooms(redis_of_tests: "redis.Redis") -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(settings.FLASH_SALES_REDIS_URL, decode_responses=True) as client:
        yield client


def a_room(*, pace: int = 1, **fields: Any) -> Sale:
    """A sale of one mug with a waiting room that admits `pace` a second; time stands still."""
    made = a_flash_sale(a_mug(), waiting_room=True, admit_per_second=pace, **fields)
    stop_time(made.pk)
    return waiting_room.room(made.slug)


def stop_time(sale_id: int) -> None:
    """Admit no one for an hour."""
    in_an_hour = int((time.time() + 3600) * 1e6)
    waiting_room._redis.ask(lambda client: client.set(f"room:{sale_id}:pace", in_an_hour))


def pass_time(rooms: "redis.Redis", sale: Sale, seconds: float) -> None:
    """Admit those who are due after `seconds` without an admission; then stop time again."""
    rooms.set(f"room:{sale.id}:pace", int((time.time() - seconds) * 1e6))
    waiting_room.look(sale, tickets.sign(sale, "a-look", "9999999999999999"))
    rooms.zrem(f"room:{sale.id}:queue", "a-look")
    stop_time(sale.id)


def queue_of(sale: Sale, count: int) -> list[Place]:
    return [waiting_room.enter(sale) for _ in range(count)]


def positions(sale: Sale, places: list[Place]) -> list[int]:
    return [waiting_room.look(sale, place.ticket).position for place in places]


def test_positions_are_in_the_order_of_coming(rooms: "redis.Redis") -> None:
    sale = a_room()

    alice, bob, carol = queue_of(sale, 3)

    assert [alice.position, bob.position, carol.position] == [1, 2, 3]
    assert not carol.admitted
    assert carol.estimated_wait_seconds == 3


def test_reload_keeps_the_place() -> None:
    sale = a_room()
    _, bob, _ = queue_of(sale, 3)

    again = waiting_room.look(sale, bob.ticket)

    assert (again.ticket, again.position) == (bob.ticket, 2)


def test_the_head_of_the_queue_is_admitted_at_the_sales_rate(rooms: "redis.Redis") -> None:
    sale = a_room(pace=2)
    places = queue_of(sale, 5)

    pass_time(rooms, sale, 1.01)

    assert positions(sale, places) == [0, 0, 1, 2, 3]


def test_pause_of_a_minute_is_not_made_up_for_at_once(rooms: "redis.Redis") -> None:
    sale = a_room(pace=2)
    places = queue_of(sale, 5)

    pass_time(rooms, sale, 60)

    assert positions(sale, places) == [0, 0, 1, 2, 3]


def test_without_a_queue_one_is_admitted_at_once(rooms: "redis.Redis") -> None:
    sale = a_room(pace=2)
    rooms.set(f"room:{sale.id}:pace", int((time.time() - 1) * 1e6))

    assert waiting_room.enter(sale).admitted


def test_no_one_is_admitted_before_the_sale_starts(rooms: "redis.Redis") -> None:
    sale = a_room(pace=10, starts_at=timezone.now() + timedelta(minutes=5))
    places = queue_of(sale, 2)
    rooms.set(f"room:{sale.id}:pace", 1)

    assert positions(sale, places) == [1, 2]
    assert 295 <= waiting_room.look(sale, places[0].ticket).estimated_wait_seconds <= 301


def test_absent_ticket_is_skipped_and_keeps_its_place(rooms: "redis.Redis") -> None:
    sale = a_room(pace=1)
    alice, bob, carol = queue_of(sale, 3)
    rooms.zadd(f"room:{sale.id}:seen", {alice.ticket.split(".")[1]: 1})

    pass_time(rooms, sale, 1)

    assert waiting_room.look(sale, bob.ticket).admitted
    assert waiting_room.look(sale, alice.ticket).position == 1
    assert waiting_room.look(sale, carol.ticket).position == 2


def test_emptied_redis_changes_nothing_about_the_order(rooms: "redis.Redis") -> None:
    sale = a_room()
    alice, bob, carol = queue_of(sale, 3)
    rooms.flushdb()

    newcomer = waiting_room.enter(sale)
    carols, bobs, alices = (waiting_room.look(sale, p.ticket) for p in (carol, bob, alice))

    assert newcomer.position == 1, "the others have not looked yet"
    assert (carols.position, bobs.position, alices.position) == (1, 1, 1)
    assert positions(sale, [alice, bob, carol, newcomer]) == [1, 2, 3, 4]


def test_forged_ticket_gets_a_place_at_the_end() -> None:
    sale = a_room()
    alice, _ = queue_of(sale, 2)
    number, ticket_id, entered = alice.ticket.split(".")
    earlier = f"{number}.{ticket_id}.0{entered[1:]}"
    other_signature = alice.ticket[:-1] + ("B" if alice.ticket.endswith("A") else "A")

    for forged in (earlier, "", "x", other_signature, "\x00", "a.b.c:d"):
        assert waiting_room.look(sale, forged).position > 2


def test_ticket_of_another_sale_is_not_valid_here() -> None:
    here, there = a_room(), a_room()
    queue_of(here, 1)
    other = waiting_room.enter(there)

    assert waiting_room.look(here, other.ticket).position == 2


def test_admission_that_was_not_used_in_time_goes_to_the_end(rooms: "redis.Redis") -> None:
    sale = a_room()
    alice, bob = queue_of(sale, 2)
    pass_time(rooms, sale, 1)
    assert waiting_room.look(sale, alice.ticket).admitted
    rooms.zadd(f"room:{sale.id}:admitted", {alice.ticket.split(".")[1]: 1})

    again = waiting_room.look(sale, alice.ticket)

    assert (again.position, waiting_room.look(sale, bob.ticket).position) == (2, 1)


def test_sale_without_a_waiting_room_has_none() -> None:
    made = a_flash_sale(a_mug())

    with pytest.raises(NoSuchRoom):
        waiting_room.room(made.slug)


def test_everybody_is_admitted_while_redis_is_down(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    sale = a_room()
    settings.FLASH_SALES_REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(waiting_room._redis, "_away_until", 0.0)

    assert waiting_room.enter(sale).admitted

    (sku,) = active_sales.by_sku()
    waiting_room.require([sku], (), "key")
    monkeypatch.setattr(waiting_room._redis, "_away_until", 0.0)


# --- At the checkout ----------------------------------------------------------------------------


@pytest.fixture
def mug_sale(open_shop: None) -> tuple[Any, FlashSale]:
    mug = a_mug(stock=50)
    made = a_flash_sale(mug, waiting_room=True, admit_per_second=1)
    stop_time(made.pk)
    return mug, made


def test_checkout_before_admission_makes_no_order_and_tells_the_place(
    mug_sale: tuple[Any, FlashSale],
) -> None:
    mug, made = mug_sale
    queue_of(waiting_room.room(made.slug), 2)
    before = everything()

    with pytest.raises(NotYourTurn) as refused:
        place(a_checkout((mug, 1)))

    assert refused.value.place.position == 3
    assert everything() == before


def test_checkout_after_admission_is_accepted_and_its_retry_replayed(
    mug_sale: tuple[Any, FlashSale], rooms: "redis.Redis"
) -> None:
    mug, made = mug_sale
    sale = waiting_room.room(made.slug)
    (alice,) = queue_of(sale, 1)
    pass_time(rooms, sale, 1)
    request = a_checkout((mug, 1), tickets=(alice.ticket,))

    first = place(request)
    rooms.zadd(f"room:{sale.id}:admitted", {alice.ticket.split(".")[1]: 1})  # ten minutes later
    again = place(request)

    assert (again.order_id, again.replayed) == (first.order_id, True)


def test_one_ticket_is_good_for_five_orders_however_many_share_it(
    mug_sale: tuple[Any, FlashSale], rooms: "redis.Redis"
) -> None:
    mug, made = mug_sale
    sale = waiting_room.room(made.slug)
    (alice,) = queue_of(sale, 1)
    pass_time(rooms, sale, 1)
    for _ in range(5):
        place(a_checkout((mug, 1), tickets=(alice.ticket,)))

    with pytest.raises(NotYourTurn) as refused:
        place(a_checkout((mug, 1), tickets=(alice.ticket,)))

    assert refused.value.place.ticket != alice.ticket


def test_estimate_is_true_within_a_factor_of_two(rooms: "redis.Redis") -> None:
    sale = a_room(pace=20)
    places = queue_of(sale, 60)
    last = places[-1]
    began = time.monotonic()
    rooms.delete(f"room:{sale.id}:pace")
    assert (last.position, last.estimated_wait_seconds) == (60, 3)

    while not waiting_room.look(sale, last.ticket).admitted:
        assert time.monotonic() - began < 30
        for each in places:
            waiting_room.look(sale, each.ticket)

    took = time.monotonic() - began
    assert took / 2 <= last.estimated_wait_seconds <= took * 2
