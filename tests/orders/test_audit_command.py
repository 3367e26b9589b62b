"""manage.py audit: what it prints, its exit code, its options."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command

from apps.payments import gateway as gateways
from apps.payments.gateway import GatewayUnreachable
from tests.orders.purchases import Shop, sql
from tests.orders.sold_orders import WAITING


def run_audit(*given: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", *given, stdout=out, stderr=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_command_says_that_all_is_well(sold: Shop) -> None:
    code, said = run_audit()
    assert code == 0
    lines = said.splitlines()
    assert [line[:6] for line in lines] == [
        f"ok  {number:2d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)
    ]


def test_command_names_what_is_wrong_and_fails(sold: Shop) -> None:
    sql("UPDATE promos_promo SET used = 3")
    code, said = run_audit()
    assert code == 1
    assert "BAD  6  promo counters equal the live redemptions" in said
    assert "        promo TEN: 3 counted, 1 live" in said
    assert said.count("BAD") == 1


def test_command_speaks_json(sold: Shop) -> None:
    code, said = run_audit("--json")
    told: dict[str, Any] = json.loads(said)
    assert (code, told["clean"], told["skipped"]) == (0, True, [])
    assert all(invariant["holds"] for invariant in told["invariants"])
    sql("UPDATE promos_promo SET used = 3")
    code, said = run_audit("--json")
    told = json.loads(said)
    assert (code, told["clean"]) == (1, False)
    (bad,) = [invariant for invariant in told["invariants"] if not invariant["holds"]]
    assert bad == {
        "number": 6,
        "name": "promo counters equal the live redemptions, within the limits",
        "holds": False,
        "violations": 1,
        "examples": ["promo TEN: 3 counted, 1 live"],
        "left_be": [],
    }


def test_command_can_leave_liveness_and_gateway_out(sold: Shop) -> None:
    sql(f"UPDATE orders_saga SET due_at = NULL WHERE order_id = {WAITING}")
    assert run_audit()[0] == 1
    assert run_audit("--safety")[0] == 0
    assert " 5  " not in run_audit("--safety", "--no-gateway")[1]


def test_command_reads_a_clients_log(sold: Shop, tmp_path: Path) -> None:
    log = tmp_path / "accepted.log"
    log.write_text(f"{sold.place()}\n")
    assert run_audit("--accepted", str(log))[0] == 0
    lost = uuid4()
    log.write_text(f"{sold.place()}\n{lost}\n")
    code, said = run_audit("--accepted", str(log))
    assert code == 1
    assert f"order {lost} was accepted and is not there" in said


def test_command_says_when_the_gateway_could_not_be_asked(
    sold: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise GatewayUnreachable("no connection")

    monkeypatch.setattr(gateways.get_gateway(), "list_intents", away, raising=False)
    for given in ((), ("--json",)):
        code, said = run_audit(*given)
        assert code == 1, "what could not be asked does not hold"
        assert "invariant 5 NOT CHECKED: the gateway could not be asked (GatewayUnreach" in said
    told = json.loads(said[: said.rindex("}") + 1])
    assert (told["clean"], len(told["skipped"])) == (False, 1)
    assert run_audit("--no-gateway")[0] == 0
