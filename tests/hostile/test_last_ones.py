"""Two hundred buyers at once for a few units: as many succeed as there are, and the books balance.

At the real servers, over HTTP; every other buyer gets a refusal that names the reason.
"""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.journeys.shopper import ACCEPTED, App, codes, crowd
from tools.stack import Stack

pytestmark = [pytest.mark.journey, pytest.mark.race]

MANY = 200
HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Published,Variant SKU,Variant Grams,"
    "Variant Inventory Qty,Variant Price,Variant Requires Shipping,Variant Taxable"
)


@pytest.fixture(scope="module")
def scarce_goods(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Five of one thing, plenty of another, and a code for one."""
    file: Path = tmp_path_factory.mktemp("hostile") / "goods.csv"
    rows = [
        f"{sku.lower()},{sku},x,K,Hostile,true,{sku},100,{stock},10.00,true,true"
        for sku, stock in (("HOSTILE-FEW", 5), ("HOSTILE-MANY", 5000))
    ]
    file.write_text("\n".join([HEADER, *rows]))
    done = live_stack.manage("import_catalog", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    made: subprocess.CompletedProcess[str] = live_stack.manage(
        "shell", "--no-imports", "-c",
        "from tests.factories import PromoFactory;"
        "PromoFactory(code='HOSTILEONE', one_use=True)",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr


def rush(url: str, sku: str, **changes: str) -> Counter[str]:
    """How many of `MANY` buyers at once got each answer."""
    answers = crowd(MANY, lambda number: App(url).checkout((sku, 1), **changes))
    ACCEPTED.extend(a.json()["order"]["id"] for a in answers if a.status_code == 202)
    return Counter(codes(answers))


def test_last_units_go_to_as_many_as_there_are(live_stack: Stack, scarce_goods: None) -> None:
    outcomes = rush(live_stack.url, "HOSTILE-FEW")

    assert outcomes == {"202": 5, "out_of_stock": MANY - 5}


def test_last_use_of_a_code_goes_to_one(live_stack: Stack, scarce_goods: None) -> None:
    outcomes = rush(live_stack.url, "HOSTILE-MANY", promo_code="hostile one")

    assert outcomes == {"202": 1, "promo_exhausted": MANY - 1}


def test_the_books_balance_afterwards(live_stack: Stack, scarce_goods: None) -> None:
    audit = live_stack.manage("audit", "--safety")

    assert audit.returncode == 0, audit.stdout
