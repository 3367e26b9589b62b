"""What every test may ask for: real PostgreSQL and Redis, a running shop, a browser.

`live_stack` and `chromium` cost seconds, so they are made on first use and kept for the session.
"""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase

from apps.sales import gate_counts, on_sale
from storefront import embedded
from tests.emptying import empty_tables
from tests.library_tables import template_database

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker
    from selenium.webdriver import Chrome

    from storefront.stack import Stack


@pytest.fixture(scope="session")
def embedded_services() -> Iterator[None]:
    """PostgreSQL and Redis of this run's home, for as long as the run takes."""
    with embedded.serving(settings.STOREFRONT_HOME):
        yield


@pytest.fixture(scope="session")
def library_tables(embedded_services: None, django_db_blocker: "DjangoDbBlocker") -> str:
    """The name of the template that new databases are copied from."""
    with django_db_blocker.unblock():
        return template_database(settings.STOREFRONT_HOME)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(library_tables: str) -> None:
    """Runs before pytest-django makes its database: on the embedded server, from the template."""
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = library_tables


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """After `django_db(transaction=True)`: milliseconds instead of a second (tests/emptying.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty_tables())
        yield


@pytest.fixture(scope="session")
def redis_of_tests(embedded_services: None) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(embedded.redis_url(settings.STOREFRONT_HOME)) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_redis(redis_of_tests: "redis.Redis") -> None:
    """No cart, cached page, rate limit, task or flash sale of an earlier test."""
    redis_of_tests.flushall()
    on_sale.assume_none(seconds=3600)
    gate_counts.forget()


@pytest.fixture(scope="session")
def live_stack(library_tables: str) -> Iterator["Stack"]:
    """All processes of the shop on free ports, with their own database, Redis and demo catalogue.

    Its data stays from test to test: a journey uses its own products or buyers, and counts nothing
    that another journey could have changed.
    """
    from storefront.stack import Stack

    home = settings.STOREFRONT_HOME / "journeys"
    database = "journeys"
    embedded.drop_database(settings.STOREFRONT_HOME, database)
    embedded.ensure_database(settings.STOREFRONT_HOME, database, template=library_tables)
    embedded.stop(home)  # of a run that was killed
    shutil.rmtree(home, ignore_errors=True)
    stack = Stack(
        home=home,
        env={
            "DATABASE_URL": embedded.database_url(settings.STOREFRONT_HOME, database),
            "SANDBOX_LATENCY_MS": "20",
            # Every buyer of every journey comes from 127.0.0.1.
            "RATE_LIMITS": "off",
        },
    )
    with stack:
        yield stack


@pytest.fixture(scope="session")
def chromium() -> Iterator["Chrome"]:
    """A headless Chromium, or a skip that says what is missing."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "chromium" if browser is None else "chromedriver"
        pytest.skip(f"{missing} is not installed (apt-get install chromium chromium-driver)")

    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
        "--window-size=1440,900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Selenium would else look for a driver on the network.
    os.environ["SE_OFFLINE"] = "true"
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    window.set_page_load_timeout(30)
    yield window
    window.quit()
