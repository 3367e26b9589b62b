"""A silent gateway is left alone by all processes together, and met again with care.

A `Circuit` of its own stands for each process: nothing but Redis lies between two of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker
import pytest
import redis
from django.test import RequestFactory

from apps.payments import breaker
from apps.payments import gateway as gateways
from apps.payments.breaker import FAILURES_TO_OPEN, TRIALS, BreakerGateway, Circuit
from apps.payments.gateway import (
    GatewayBusy,
    GatewayCircuitOpen,
    GatewayError,
    GatewayMisconfigured,
    GatewayOutcomeUnknown,
    GatewayRefused,
    GatewayTransient,
    GatewayUnreachable,
    PaymentDeclined,
)
from storefront import metrics
from tests.orders.purchases import at_once


class Phone:
    """A gateway of which only `retrieve` is asked; `answer` says what comes of it."""

    def __init__(self) -> None:
        self.rang = 0
        self.answer: Callable[[], Any] = lambda: "here"

    def retrieve(self, intent_id: str) -> Any:
        self.rang += 1
        return self.answer()

    def list_intents(self, **_: Any) -> Any:
        yield self.answer()

    def fall_silent(self, silence: Exception | None = None) -> None:
        def no_answer() -> None:
            raise silence or GatewayUnreachable("no connection")

        self.answer = no_answer

    def recover(self) -> None:
        self.answer = lambda: "here"


@pytest.fixture
def phone() -> Phone:
    return Phone()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    rung: list[str] = []
    monkeypatch.setattr(breaker.bells, "ring", rung.append)
    return rung


@pytest.fixture
def a_process(
    phone: Phone, monkeypatch: pytest.MonkeyPatch, rung: list[str]
) -> Callable[[], BreakerGateway]:
    """Makes the gateway of one more process: it looks at Redis every time, and rests until told."""
    monkeypatch.setattr(breaker, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(breaker, "OPEN_FOR", timedelta(hours=1))
    monkeypatch.setattr(breaker, "OPEN_FOR_MS", 3_600_000)
    return lambda: BreakerGateway(phone)  # type: ignore[arg-type]


def ask(gateway: BreakerGateway, times: int = 1) -> list[type[Exception] | Any]:
    """What `times` calls come to."""
    heard = []
    for _ in range(times):
        try:
            heard.append(gateway.retrieve("pi_1"))
        except Exception as error:
            heard.append(type(error))
    return heard


def opened(gateway: BreakerGateway, phone: Phone) -> BreakerGateway:
    phone.fall_silent()
    ask(gateway, FAILURES_TO_OPEN)
    phone.rang = 0
    return gateway


def rest_ends(redis_of_tests: redis.Redis, *gateways: BreakerGateway) -> None:
    """As if the time for which the circuit stays open were over, and a trial's time, too."""
    redis_of_tests.delete(breaker.OPEN_KEY, breaker.TRIALS_KEY)
    for gateway in gateways:
        gateway._circuit._shared._open_until = 0.0
        gateway._circuit._shared._own_trials.clear()


# --- Opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "silence",
    [GatewayUnreachable("no connection"), GatewayOutcomeUnknown("timed out, or a 500")],
    ids=lambda silence: type(silence).__name__,
)
def test_silence_ten_times_in_a_row_opens_the_circuit(
    phone: Phone, a_process: Any, silence: GatewayError
) -> None:
    gateway = a_process()
    phone.fall_silent(silence)

    assert ask(gateway, FAILURES_TO_OPEN) == [type(silence)] * FAILURES_TO_OPEN
    assert ask(gateway, 3) == [GatewayCircuitOpen] * 3
    assert phone.rang == FAILURES_TO_OPEN, "nobody rings any more"


def test_turned_away_means_certainly_never_sent_and_again_later() -> None:
    assert issubclass(GatewayCircuitOpen, GatewayUnreachable)
    assert issubclass(GatewayCircuitOpen, GatewayTransient)


def test_one_answer_begins_the_count_anew(phone: Phone, a_process: Any) -> None:
    gateway = a_process()
    for _ in range(3):
        phone.fall_silent()
        ask(gateway, FAILURES_TO_OPEN - 1)
        phone.recover()
        assert ask(gateway) == ["here"]


@pytest.mark.parametrize(
    "answer",
    [
        PaymentDeclined("no", code="card_declined", decline_code=None, intent_id=None),
        GatewayRefused("no", code="resource_missing"),
        GatewayBusy("429 or 409", retry_after=1.0),
        GatewayMisconfigured("401"),
        GatewayOutcomeUnknown("stored 500", replayed=True),
        KeyError("an answer that nobody can read"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_an_answer_of_any_kind_opens_nothing(
    phone: Phone, a_process: Any, answer: Exception
) -> None:
    gateway = a_process()
    phone.fall_silent(answer)
    assert set(ask(gateway, 3 * FAILURES_TO_OPEN)) == {type(answer)}


def test_a_list_that_breaks_off_counts_too(phone: Phone, a_process: Any) -> None:
    gateway = a_process()
    phone.fall_silent()
    since = datetime.now(UTC)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(GatewayUnreachable):
            list(gateway.list_intents(created_after=since))
    with pytest.raises(GatewayCircuitOpen):
        list(gateway.list_intents(created_after=since))


def test_what_one_process_learns_all_know(phone: Phone, a_process: Any) -> None:
    one, other = a_process(), a_process()
    assert ask(other) == ["here"]
    opened(one, phone)

    assert ask(other) == [GatewayCircuitOpen]
    assert ask(a_process()) == [GatewayCircuitOpen], "also one that was started since"
    assert phone.rang == 0


# --- Trying -------------------------------------------------------------------------------------


def crowd_after_the_rest(
    phone: Phone, processes: list[BreakerGateway], redis_of_tests: redis.Redis
) -> int:
    """Eight threads in each process ask at once while no answer comes; how many got through."""
    opened(processes[0], phone)
    for gateway in processes:
        ask(gateway)
    rest_ends(redis_of_tests, *processes)
    no_more_come = threading.Event()

    def slow() -> str:
        assert no_more_come.wait(30)
        return "here"

    phone.answer = slow
    turned_away: list[Any] = []

    def one(number: int) -> None:
        turned_away.extend(
            heard for heard in ask(processes[number % len(processes)]) if heard != "here"
        )

    threads = 8 * len(processes)
    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(one, number) for number in range(threads)]
        deadline = time.monotonic() + 30
        while len(turned_away) + phone.rang < threads:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        no_more_come.set()
    assert all(each.exception() is None for each in asked)
    assert set(turned_away) <= {GatewayCircuitOpen}
    return phone.rang


@pytest.mark.race
def test_of_a_crowd_in_four_processes_three_try_the_gateway(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = [a_process() for _ in range(4)]
    assert crowd_after_the_rest(phone, processes, redis_of_tests) == TRIALS

    redis_of_tests.flushall()
    monkeypatch.setattr(breaker.SharedState, "take_trial", lambda self: True)
    processes = [a_process() for _ in range(4)]
    assert crowd_after_the_rest(phone, processes, redis_of_tests) == 32, "else all of them do"


def test_first_answer_closes_the_circuit_for_all_and_those_who_wait_are_told(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis, rung: list[str]
) -> None:
    one, other = a_process(), a_process()
    opened(one, phone)
    assert ask(other) == [GatewayCircuitOpen]
    phone.recover()
    assert ask(one) == [GatewayCircuitOpen], "it rests for a while first"
    rest_ends(redis_of_tests, one, other)
    assert rung == []

    assert ask(other) == ["here"]
    assert ask(one, 20) == ["here"] * 20
    assert rung == ["payments.gateway_recovered"]


def test_refusal_is_an_answer_and_closes_the_circuit(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = opened(a_process(), phone)
    rest_ends(redis_of_tests, gateway)
    phone.fall_silent(GatewayRefused("no", code="resource_missing"))
    assert ask(gateway, 5) == [GatewayRefused] * 5


def test_one_silent_trial_opens_it_again_for_all(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis, rung: list[str]
) -> None:
    one, other = a_process(), a_process()
    opened(one, phone)
    rest_ends(redis_of_tests, one, other)

    assert ask(other) == [GatewayUnreachable]
    assert ask(one) == ask(other) == [GatewayCircuitOpen]
    assert phone.rang == 1
    assert rung == []


# --- A question of several calls ----------------------------------------------------------------


def test_question_is_turned_away_before_it_is_asked(phone: Phone, a_process: Any) -> None:
    gateway = opened(a_process(), phone)
    with pytest.raises(GatewayCircuitOpen):
        gateway.let_through()
    assert phone.rang == 0


def test_question_that_was_let_through_is_asked_whatever_comes_between(
    phone: Phone, a_process: Any
) -> None:
    """Its caller has written down that it is asked."""
    gateway = a_process()
    through = gateway.let_through()
    opened(gateway, phone)
    phone.recover()

    assert ask(through, 3) == ["here"] * 3
    assert ask(gateway) == [GatewayCircuitOpen], "what was asked before it opened closes nothing"


def test_questions_that_are_let_through_are_the_trials(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis, rung: list[str]
) -> None:
    gateway = opened(a_process(), phone)
    rest_ends(redis_of_tests, gateway)
    through = [gateway.let_through() for _ in range(TRIALS)]
    with pytest.raises(GatewayCircuitOpen):
        gateway.let_through()
    phone.recover()

    assert ask(through[0], 2) == ["here"] * 2
    assert rung == ["payments.gateway_recovered"]
    assert ask(gateway) == ["here"]


def test_silence_after_a_questions_first_answer_counts(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = opened(a_process(), phone)
    rest_ends(redis_of_tests, gateway)
    through = gateway.let_through()
    phone.recover()
    assert ask(through) == ["here"]
    phone.fall_silent()

    assert ask(through, FAILURES_TO_OPEN) == [GatewayUnreachable] * FAILURES_TO_OPEN

    assert ask(gateway) == [GatewayCircuitOpen]


def test_trial_whose_worker_died_is_not_waited_for_for_ever(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    dead, alive = a_process(), a_process()
    opened(dead, phone)
    rest_ends(redis_of_tests, dead, alive)
    for _ in range(TRIALS):
        dead._circuit._admit()  # and nothing is ever heard of it
    phone.recover()
    assert ask(alive) == [GatewayCircuitOpen]
    assert 0 < redis_of_tests.pttl(breaker.TRIALS_KEY) <= breaker.OPEN_FOR_MS

    redis_of_tests.delete(breaker.TRIALS_KEY)  # as it does by itself
    assert ask(alive) == ["here"]


def test_time_out_that_began_before_the_gateway_came_back_opens_nothing(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = a_process()
    circuit = gateway._circuit
    begun_before = [circuit._admit() for _ in range(2 * FAILURES_TO_OPEN)]
    opened(gateway, phone)
    rest_ends(redis_of_tests, gateway)
    phone.recover()
    assert ask(gateway) == ["here"]

    for era in begun_before:
        circuit._heard(era, GatewayOutcomeUnknown("timed out at last"))

    assert ask(gateway) == ["here"]


def test_circuit_rests_for_a_while_by_itself(
    phone: Phone, rung: list[str], redis_of_tests: redis.Redis
) -> None:
    gateway = opened(BreakerGateway(phone), phone)  # type: ignore[arg-type]
    assert 0 < redis_of_tests.pttl(breaker.OPEN_KEY) <= breaker.OPEN_FOR_MS
    phone.recover()
    deadline = time.monotonic() + 60
    while ask(gateway) != ["here"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert rung == ["payments.gateway_recovered"]


# --- Redis --------------------------------------------------------------------------------------


def test_without_redis_each_process_goes_by_what_it_sees(
    phone: Phone, a_process: Any, settings: Any, tmp_path: Any, redis_of_tests: redis.Redis
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    one, other = a_process(), a_process()
    assert ask(one) == ["here"]
    opened(one, phone)

    assert ask(one) == [GatewayCircuitOpen]
    assert ask(other) == [GatewayUnreachable], "it has to find out by itself"
    rest_ends(redis_of_tests, one)
    assert ask(one, 5) == [GatewayUnreachable] + 4 * [GatewayCircuitOpen]
    phone.recover()
    rest_ends(redis_of_tests, one)
    assert ask(one, 5) == 5 * ["here"]


def test_without_redis_a_process_lets_its_own_few_through(
    phone: Phone, a_process: Any, settings: Any, tmp_path: Any, redis_of_tests: redis.Redis
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    gateway = opened(a_process(), phone)
    rest_ends(redis_of_tests, gateway)
    let_in = []
    for _ in range(2 * TRIALS):
        try:
            let_in.append(gateway._circuit._admit())
        except GatewayCircuitOpen:
            let_in.append(None)
    assert [each is not None for each in let_in] == [True] * TRIALS + [False] * TRIALS


def test_emptied_redis_neither_closes_the_circuit_nor_keeps_it_open(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = opened(a_process(), phone)
    redis_of_tests.flushall()
    assert ask(gateway, 3) == [GatewayCircuitOpen] * 3
    phone.recover()
    rest_ends(redis_of_tests, gateway)
    assert ask(gateway, 3) == ["here"] * 3


def test_thousand_calls_cost_redis_two_looks_a_second(
    phone: Phone, rung: list[str], redis_of_tests: redis.Redis
) -> None:
    gateway = BreakerGateway(phone)  # type: ignore[arg-type]
    commands = redis_of_tests.info("stats")["total_commands_processed"]
    began = time.monotonic()
    ask(gateway, 1000)
    looks = 1 + (time.monotonic() - began) / breaker.LOOK_EVERY
    asked = redis_of_tests.info("stats")["total_commands_processed"] - commands
    assert asked <= 2 * looks + 10, "two commands a look; the rest is ours and the connection's"


# --- Threads ------------------------------------------------------------------------------------


@pytest.mark.race
def test_calls_go_side_by_side(phone: Phone, a_process: Any) -> None:
    """Each waits until all are at the gateway at the same time."""
    everyone = threading.Barrier(64, timeout=30)
    phone.answer = everyone.wait
    gateway = a_process()
    heard = at_once(64, lambda _: gateway.retrieve("pi_1"))
    assert sorted(heard) == list(range(64))

    two = threading.Barrier(2, timeout=0.5)
    library = pybreaker.CircuitBreaker(fail_max=100)
    heard = at_once(2, lambda _: library.call(two.wait))
    assert {type(each) for each in heard} == {threading.BrokenBarrierError}, "as the library does"


# --- What people see ----------------------------------------------------------------------------


def shown() -> dict[str, float]:
    """`/metrics` lines about the circuit."""
    text = metrics.metrics(RequestFactory().get("/metrics")).content.decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("storefront_gat")]
    return {name.removeprefix("storefront_gateway_circuit"): float(value) for name, value in lines}


@pytest.mark.django_db
def test_metrics_show_where_the_circuit_stands(
    phone: Phone, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    names = ('{state="closed"}', '{state="open"}', '{state="half_open"}', "_opened_total")
    assert shown() == dict(zip(names, (1, 0, 0, 0), strict=True))
    gateway = opened(a_process(), phone)
    assert shown() == dict(zip(names, (0, 1, 0, 1), strict=True))
    rest_ends(redis_of_tests, gateway)
    ask(gateway)  # in vain: the same outage
    assert shown() == dict(zip(names, (0, 1, 0, 1), strict=True))
    rest_ends(redis_of_tests, gateway)
    gateway._circuit._admit()
    assert shown() == dict(zip(names, (0, 0, 1, 1), strict=True))
    phone.recover()
    rest_ends(redis_of_tests)
    ask(gateway)
    assert shown() == dict(zip(names, (1, 0, 0, 1), strict=True))


def test_the_shops_gateway_stands_behind_its_circuit() -> None:
    gateways._forget_after_fork()
    try:
        assert isinstance(gateways.get_gateway(), BreakerGateway)
        assert isinstance(gateways.get_gateway()._circuit, Circuit)
    finally:
        gateways._forget_after_fork()
