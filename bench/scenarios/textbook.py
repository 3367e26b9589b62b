"""The same shop with a textbook's checkout, and with other ways to reserve: side by side."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import requests

from bench import wrk
from bench.bench import Bench
from bench.findings import Findings, Plot
from bench.shop import BACKGROUND, HOT, flash_sale
from storefront import embedded
from storefront.stack import Ports
from storefront.stack.programs import granian

STRATEGIES = ("conditional", "pessimistic", "optimistic")


def textbook(bench: Bench) -> Findings:
    """Orders a minute on one SKU at 350 ms of gateway, by shoppers at once."""
    rows: list[dict[str, Any]] = []
    seconds = 6.0 if bench.quick else 20.0
    crowds = (10,) if bench.quick else (1, 10, 100)
    with _textbook(bench) as url:
        for shoppers in crowds:
            loads = []
            for _ in range(bench.runs):
                bench.shop.reset()
                load = wrk.run("checkout", url, connections=shoppers, seconds=seconds, skus=HOT)
                bench.say(f"textbook, {shoppers} shoppers: {_minute(load)} a minute")
                loads.append(load)
            rows.append(_row("textbook", shoppers, _middle(loads)))
    bench.shop.reset()
    for shoppers in crowds:
        loads = []
        for _ in range(bench.runs):
            bench.shop.reset()
            load = bench.load("checkout", connections=shoppers, skus=HOT, seconds=seconds)
            bench.say(f"this shop, {shoppers} shoppers: {_minute(load)} a minute")
            loads.append(load)
            bench.shop.drain()
            bench.shop.audit()
        rows.append(_row("this shop", shoppers, _middle(loads)))
    return Findings(
        name="textbook",
        title="Against the textbook",
        about=(
            "One SKU, 350 ms at the gateway. The textbook (bench/textbook) holds the stock's lock"
            " while the gateway thinks; it does without key, quote, promo and saga. This shop has its"
            " workers at work. Errors are 5xx and answers that did not come within 20 s."
        ),
        columns={
            "checkout": "checkout",
            "shoppers": "shoppers at once",
            "a_minute": "orders a minute",
            "p50_ms": "p50 ms",
            "p99_ms": "p99 ms",
            "errors": "errors",
        },
        rows=rows,
        plots=[
            Plot(title="orders a minute", kind="bars", x="shoppers", y="a_minute", unit="a minute",
                 series="checkout"),
        ],
    )  # fmt: skip


def strategies(bench: Bench) -> Findings:
    """Ways to reserve, with and without the gate, on a SKU with enough and on one sold out."""
    rows: list[dict[str, Any]] = []
    for strategy in STRATEGIES:
        with bench.shop.with_environment("web", INVENTORY_STRATEGY=strategy):
            with bench.shop.without(*BACKGROUND):
                for gate in (False, True):
                    with flash_sale(HOT, gate=gate):
                        name = f"{strategy}, gate {'on' if gate else 'off'}"
                        load = bench.checkouts(connections=64, skus=HOT, name=name)
                        with bench.shop.sold_out(HOT):
                            refused = bench.checkouts(
                                connections=64, skus=HOT, expected=409, name=f"{name}, sold out"
                            )
                    rows.append(
                        {
                            "strategy": strategy,
                            "gate": "on" if gate else "off",
                            "accepted": round(load.per_second(202)),
                            "p99_ms": round(load.p99_ms, 1),
                            "refused": round(refused.per_second(409)),
                            "refused_p99_ms": round(refused.p99_ms, 1),
                        }
                    )
    return Findings(
        name="strategies",
        title="Ways to reserve",
        about="One hot SKU, 64 shoppers, the intake alone: while there is enough, and sold out.",
        columns={
            "strategy": "strategy",
            "gate": "gate",
            "accepted": "accepted /s",
            "p99_ms": "p99 ms",
            "refused": "refused /s when sold out",
            "refused_p99_ms": "p99 ms",
        },
        rows=rows,
        plots=[
            Plot(title="refused a second, sold out", kind="bars", x="strategy", y="refused",
                 unit="/s", series="gate", mark=5000),
        ],
    )  # fmt: skip


@contextlib.contextmanager
def _textbook(bench: Bench) -> Iterator[str]:
    """The textbook's checkout on the shop's database, served as the shop is."""
    port = Ports.free().web
    process = subprocess.Popen(
        granian("wsgi", "bench.textbook.wsgi:application", port, "--workers", "2",
                "--blocking-threads", "32", "--backlog", "2048"),
        cwd=embedded.PROJECT,
        env=bench.shop.stack.environment | {"PYTHONPATH": str(embedded.PROJECT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(url, timeout=5)
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the textbook's checkout does not start")
            time.sleep(0.2)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(30)


def _minute(load: wrk.Load) -> int:
    return round(load.per_second(202) * 60)


def _middle(loads: list[wrk.Load]) -> wrk.Load:
    return wrk.middle(loads, lambda load: load.per_second(202))


def _row(checkout: str, shoppers: int, load: wrk.Load) -> dict[str, Any]:
    return {
        "checkout": checkout,
        "shoppers": shoppers,
        "a_minute": _minute(load),
        "p50_ms": round(load.p50_ms),
        "p99_ms": round(load.p99_ms),
        "errors": sum(load.others(202).values()),
    }
