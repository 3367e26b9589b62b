"""The shop whose processes are killed, and the audit of its records at the end."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.crashes.books import GOODS
from tests.crashes.shop import LATENCY_MS, Shop
from tests.waiting import until
from tools import embedded
from tools.stack import Stack


@pytest.fixture(scope="package")
def shop(library_tables: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """All processes, with failpoints on. At the end the audit must be clean and no order lost."""
    home, database = settings.STOREFRONT_HOME / "crashes", "crashes"
    embedded.drop_database(settings.STOREFRONT_HOME, database)
    embedded.ensure_database(settings.STOREFRONT_HOME, database, template=library_tables)
    embedded.stop(home)  # of a run that was killed
    shutil.rmtree(home, ignore_errors=True)
    points = home / "failpoints"
    points.mkdir(parents=True)
    stack = Stack(
        home=home,
        seed=False,
        watch=None,  # processes freeze on purpose, for as long as a test needs
        env={
            "DATABASE_URL": embedded.database_url(settings.STOREFRONT_HOME, database),
            "SANDBOX_LATENCY_MS": str(LATENCY_MS),
            "SANDBOX_WEBHOOK_RETRY_MS": "200",
            "RATE_LIMITS": "off",
            "PAYMENT_RETRY_TIME": "0",  # a decline is undone at once: the points of the undo
            "FAILPOINTS": str(points),
        },
    )
    with stack, embedded.connect(settings.STOREFRONT_HOME, database) as connection:
        with Shop(stack, connection, points) as running:
            running.clerk("open_shop", goods=[(sku, price) for sku, price, _ in GOODS])
            yield running
            running.disarm()
            running.rest()
            until(running.mails_are_out, "all mails are out")
            twice = {mail for mail, copies in running.mails_sent().items() if copies > 1}
            assert twice <= running.sent_again
            assert_books_balance(running, tmp_path_factory.mktemp("crashes"))


def assert_books_balance(shop: Shop, folder: Path) -> None:
    log = folder / "accepted.txt"
    log.write_text("\n".join(shop.accepted))
    audit = shop.stack.manage("audit", "--json", "--accepted", str(log))
    try:
        report = json.loads(audit.stdout)
    except ValueError:
        pytest.fail(f"the audit did not answer: {audit.stdout}{audit.stderr}")
    broken = [found for found in report["invariants"] if not found["holds"]]
    assert (report["clean"], report["skipped"], broken) == (True, [], [])


@pytest.fixture(autouse=True)
def calm(shop: Shop) -> Iterator[None]:
    """Before each test nothing is under way; after it no point is armed."""
    shop.disarm()
    shop.rest()
    yield
    shop.disarm()
    shop.steer_gateway()
