"""What wrk said, in figures."""

import re
from dataclasses import replace

import pytest

from tools.bench import wrk
from tools.bench.wrk import Load, NoWrk

SAID = """Running 2s test @ http://127.0.0.1:8000
  1 threads and 64 connections
RESULT {"requests": 3000, "seconds": 2.000, "p50_ms": 30.10, "p95_ms": 50.00, "p99_ms": 80.25, \
"max_ms": 120.00, "connect_errors": 0, "read_errors": 2, "timeouts": 1, \
"statuses": {"202": 2900, "503": 97}}
"""


def load(per_second: int) -> Load:
    return Load(
        requests=per_second, seconds=1.0, p50_ms=1, p95_ms=2, p99_ms=3, max_ms=4,
        statuses={"202": per_second},
    )  # fmt: skip


def test_reads_the_line_that_the_script_wrote() -> None:
    said = Load.from_output(SAID)
    assert (said.requests, said.p99_ms, said.statuses) == (3000, 80.25, {"202": 2900, "503": 97})


def test_a_rate_counts_the_answers_that_are_asked_for() -> None:
    said = Load.from_output(SAID)
    assert said.per_second() == 1500
    assert said.per_second(202) == 1450
    assert said.per_second(409) == 0


def test_names_every_answer_that_was_not_expected_and_what_was_never_answered() -> None:
    said = Load.from_output(SAID)
    assert said.others(202) == {"503": 97, "read": 2, "timeout": 1}
    assert load(100).others(202) == {}


@pytest.mark.parametrize(
    ("statuses", "why"),
    [({"202": 9, "503": 1}, "a sale: unexpected answers: {'503': 1}"),
     ({}, "a sale: no answer")],
)  # fmt: skip
def test_half_a_shop_is_not_measured(statuses: dict[str, int], why: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(why)):
        replace(load(10), statuses=statuses).require(202, "a sale")


def test_an_output_without_result_is_an_error_that_shows_it() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        Load.from_output("unable to connect to 127.0.0.1:8000 Connection refused")


def test_the_run_in_the_middle_is_one_that_was_run() -> None:
    runs = [load(900), load(100), load(700)]
    assert wrk.middle(runs, lambda one: one.per_second(202)) is runs[2]


def test_without_wrk_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoWrk, match="apt-get install wrk"):
        wrk.start("checkout", "http://127.0.0.1:1", connections=1, seconds=1)
