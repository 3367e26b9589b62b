"""Turns: few compute at once, nobody waits for ever, and a waiting thread is in nobody's way."""

import threading
import time

import pytest

from storefront.turns import Turns
from tests.orders.purchases import at_once


def crowded(turns: Turns, count: int) -> int:
    """How many were inside at the same time at most, of `count` who all want in."""
    lock, inside, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with turns.taken():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    at_once(count, work)
    return most


def test_so_many_at_once_and_no_more() -> None:
    assert crowded(Turns(2, patience=20), 12) == 2


def test_control_without_patience_all_are_inside() -> None:
    assert crowded(Turns(2, patience=0.001), 12) > 2


def test_who_waits_aside_gives_her_turn_back() -> None:
    turns, answered = Turns(1, patience=20), threading.Event()

    def work(number: int) -> str:
        with turns.taken():
            if number:
                answered.set()
                return "answered"
            with turns.aside():
                assert answered.wait(20), "the other never got the turn"
            return "heard"

    assert sorted(at_once(2, work)) == ["answered", "heard"]
    assert crowded(turns, 3) == 1, "the turn is free again, once"


def test_turn_is_given_back_by_who_fails() -> None:
    turns = Turns(1, patience=20)
    for _ in range(3):
        with pytest.raises(ValueError), turns.taken(), turns.aside():
            raise ValueError

    assert crowded(turns, 3) == 1


def test_aside_without_a_turn_is_nothing() -> None:
    turns = Turns(1, patience=20)
    with turns.aside():
        pass

    assert crowded(turns, 3) == 1


def test_who_went_on_without_a_turn_gives_none_back() -> None:
    turns, done = Turns(1, patience=0.01), threading.Event()

    def work(number: int) -> None:
        with turns.taken():
            if number:
                done.wait(20)  # as if Redis were silent
            else:
                time.sleep(0.1)
                with turns.aside():
                    pass
                done.set()

    at_once(4, work)
    turns._patience = 20
    assert crowded(turns, 3) == 1
