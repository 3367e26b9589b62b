"""What was measured, held against what was promised."""

from typing import Any

import pytest

from tools.bench.budgets import budgets
from tools.bench.findings import Budget, Findings


def found(name: str, *rows: dict[str, Any]) -> Findings:
    return Findings(name=name, title="", about="", columns={}, rows=rows)


def verdict(words: str, *findings: Findings) -> Budget:
    (one,) = [budget for budget in budgets(findings) if words in budget.what]
    return one


def accepted(goods: str, per_second: int, p99_ms: float = 100.0) -> dict[str, Any]:
    return {"goods": goods, "connections": 64, "per_second": per_second, "p99_ms": p99_ms}


def test_what_was_not_measured_neither_holds_nor_is_missed() -> None:
    assert {budget.holds for budget in budgets([])} == {None}
    assert {budget.measured for budget in budgets([])} == {""}


@pytest.mark.parametrize(
    ("per_second", "p99_ms", "holds"),
    [(1500, 150.0, True), (1499, 90.0, False), (2000, 150.1, False)],
)
def test_acceptance_must_be_quick_and_plentiful(
    per_second: int, p99_ms: float, holds: bool
) -> None:
    rows = found("accept", accepted("one hot SKU", per_second, p99_ms))
    assert verdict("orders accepted", rows).holds is holds


def test_a_hot_sku_is_compared_with_many_of_the_same_run() -> None:
    rows = found("accept", accepted("one hot SKU", 1700), accepted("1,000 SKUs", 2000))
    budget = verdict("hot SKU against", rows)
    assert (budget.measured, budget.holds) == ("0.85", False)


def test_only_what_is_finished_while_orders_come_is_sustained() -> None:
    burst = {"kind": "burst", "finished": 400, "accepted": 900, "growth": 500.0}
    assert verdict("orders finished", found("finish", burst)).holds is None
    steady = {"kind": "steady", "finished": 199, "accepted": 250, "growth": 51.0}
    budget = verdict("orders finished", found("finish", steady, burst))
    assert (budget.measured, budget.holds) == ("199/s of 250/s that came, queue +51/s", False)


def test_the_textbook_is_taken_at_its_best() -> None:
    rows = found(
        "textbook",
        {"checkout": "textbook", "a_minute": 160},
        {"checkout": "textbook", "a_minute": 20},
        {"checkout": "this shop", "a_minute": 9_599},
    )
    assert verdict("textbook", rows).holds is False


def test_growth_is_promised_for_five_million_orders() -> None:
    at_first = {"behind": "0 orders", "accepted": 1000}
    one = found("growth", at_first, {"behind": "1,000,000 orders", "accepted": 990})
    five = found("growth", at_first, {"behind": "5,000,000 orders", "accepted": 900})
    assert verdict("past orders", one).holds is None
    assert verdict("past orders", five).holds is True
