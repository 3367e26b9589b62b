"""Few threads compute at once, none waits for ever, and a waiting one releases its slot."""

import threading
import time

import pytest

from apps.core.concurrency_limit import ConcurrencyLimit
from tests.orders.purchases import at_once


def most_at_once(limit: ConcurrencyLimit, count: int, *, stay: float = 0.01) -> int:
    """How many of `count` threads were inside at the same time, at most."""
    lock, inside, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with limit.held():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(stay)
            with lock:
                inside -= 1

    at_once(count, work)
    return most


def test_no_more_threads_than_slots_at_once() -> None:
    assert most_at_once(ConcurrencyLimit(2, patience=60), 12) == 2


def test_control_without_patience_all_are_inside_at_once() -> None:
    assert most_at_once(ConcurrencyLimit(2, patience=0.001), 12, stay=0.3) > 2


def test_waiting_thread_releases_its_slot() -> None:
    limit, answered = ConcurrencyLimit(1, patience=60), threading.Event()

    def work(number: int) -> str:
        with limit.held():
            if number:
                answered.set()
                return "answered"
            with limit.released():
                assert answered.wait(60), "the other never got the slot"
            return "waited"

    assert sorted(at_once(2, work)) == ["answered", "waited"]
    assert most_at_once(limit, 3) == 1, "the slot is free again, once"


def test_slot_is_released_after_an_error() -> None:
    limit = ConcurrencyLimit(1, patience=60)
    for _ in range(3):
        with pytest.raises(ValueError), limit.held(), limit.released():
            raise ValueError

    assert most_at_once(limit, 3) == 1


def test_released_without_a_slot_does_nothing() -> None:
    limit = ConcurrencyLimit(1, patience=60)
    with limit.released():
        pass

    assert most_at_once(limit, 3) == 1


def test_thread_that_continued_without_a_slot_releases_none() -> None:
    limit, done = ConcurrencyLimit(1, patience=0.01), threading.Event()

    def work(number: int) -> None:
        with limit.held():
            if number:
                done.wait(60)  # as if Redis did not answer
            else:
                time.sleep(0.1)
                with limit.released():
                    pass
                done.set()

    at_once(4, work)
    limit._patience = 60
    assert most_at_once(limit, 3) == 1
