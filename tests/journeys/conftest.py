"""The goods of the journeys, and the books at the end of every module.

All journeys share one running shop with the demo catalog. Their own goods are imported into it,
so that no other test buys them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.journeys.shopper import ACCEPTED, App
from tools.stack import Stack

GOODS = {
    # handle: (title, price, grams, units in stock)
    "journey-mug": ("Journey Mug", "18.00", 350, 5000),
    "journey-kettle": ("Journey Kettle", "64.00", 900, 5000),
    "journey-lamp": ("Journey Lamp", "120.00", 1500, 5000),
    "journey-candle": ("Journey Candle", "9.95", 200, 5000),
    "journey-rarity": ("Journey Rarity", "25.00", 300, 20),
    "journey-last-one": ("Journey Last One", "25.00", 300, 1),
    "journey-memory": ("Journey Memory", "25.00", 300, 0),
    "journey-cup": ("Journey Cup", "12.00", 250, 50),
    "journey-spoon": ("Journey Spoon", "7.00", 50, 40),
}
HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Published,Variant SKU,Variant Grams,"
    "Variant Inventory Qty,Variant Price,Variant Requires Shipping,Variant Taxable"
)


@dataclass(frozen=True)
class Good:
    """Something to buy: the product's slug, and its only SKU."""

    slug: str
    sku: str


class Goods:
    def __getattr__(self, name: str) -> Good:
        slug = f"journey-{name.replace('_', '-')}"
        if slug not in GOODS:
            raise AttributeError(name)
        return Good(slug, slug.upper())


@pytest.fixture(scope="session")
def goods(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Goods:
    """The journeys' own products, imported as any shop would."""
    rows = [
        f"{handle},{title},<p>For the journey.</p>,Kettle & Pine,Journeys,true,"
        f"{handle.upper()},{grams},{stock},{price},true,true"
        for handle, (title, price, grams, stock) in GOODS.items()
    ]
    file: Path = tmp_path_factory.mktemp("journeys") / "goods.csv"
    file.write_text("\n".join([HEADER, *rows]))
    done = live_stack.manage("import_catalog", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return Goods()


@pytest.fixture
def app(live_stack: Stack, goods: Goods) -> App:
    """A guest's app."""
    return App(live_stack.url)


@pytest.fixture
def sandbox(live_stack: Stack) -> Iterator["SandboxControl"]:
    """The gateway, steered; as it was again afterwards."""
    control = SandboxControl(live_stack.sandbox_url)
    yield control
    control.set(latency_ms=20)


class SandboxControl:
    def __init__(self, url: str) -> None:
        self._url = url

    def set(self, *rules: dict[str, Any], latency_ms: int = 20) -> None:
        answer = requests.post(
            f"{self._url}/_sandbox/faults",
            json={"rules": list(rules), "seed": 7, "latency_ms": latency_ms},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module", autouse=True)
def books_balance(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a module did: every invariant holds, and every order that was promised is there."""
    yield
    log: Path = tmp_path_factory.mktemp("books") / "accepted.txt"
    log.write_text("\n".join(ACCEPTED))
    audit = live_stack.manage("audit", "--json", "--accepted", str(log))
    try:
        report = json.loads(audit.stdout)
    except ValueError:
        pytest.fail(f"the audit did not answer: {audit.stdout}{audit.stderr}")
    broken = [found for found in report["invariants"] if not found["holds"]]
    assert (report["clean"], report["skipped"], broken) == (True, [], [])
    assert audit.returncode == 0
