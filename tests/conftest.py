"""What every test may ask for: real PostgreSQL and Redis, a running shop, a browser.

`live_stack` and `chromium` cost seconds, so they are made on first use and kept for the session.
"""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase

from apps.core import rate_limits
from apps.flash_sales import active_sales, gate_counts
from apps.web import context_processors, shared_pages
from tests import left_behind
from tests import settings as test_settings
from tests.emptying import empty_tables, is_as_new
from tests.factories import make_alice
from tests.file_durations import FileDurations
from tests.library_tables import template_database
from tests.parallel import ByWhatIsShared, leaves_shared_shop
from tests.second_try import allow_second_try
from tools import embedded

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker
    from selenium.webdriver import Chrome
    from xdist.remote import Producer
    from xdist.scheduler.protocol import Scheduling

    from apps.customers.models import User
    from tools.stack import Stack

SHARED_STACK = pytest.StashKey["Stack"]()


def pytest_configure(config: pytest.Config) -> None:
    """The process that only hands out tests (pytest-xdist) leaves its home to the others."""
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(FileDurations(config.rootpath))
    if config.getoption("numprocesses", None):
        test_settings.leave_home()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_second_try(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduling":
    """Tests that share something expensive run in one process (tests/parallel.py)."""
    return ByWhatIsShared(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Stops the running shop after the last test that uses it, second tries included."""
    result = yield
    stack = item.config.stash.get(SHARED_STACK, None)
    if stack is not None and leaves_shared_shop(item, nextitem):
        stack.stop()
    return result


@pytest.fixture(scope="session", autouse=True)
def companion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ends what this process leaves behind when it is stopped or killed (tests/left_behind.py)."""
    folders = [test_settings.TEST_HOME, tmp_path_factory.getbasetemp()]
    with left_behind.companion(folders, lock=test_settings.home_lock):
        yield


@pytest.fixture(scope="session")
def embedded_services(companion: None) -> Iterator[None]:
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
        patch.setattr(
            TransactionTestCase, "_should_reload_connections", lambda self: not is_as_new()
        )
        yield


@pytest.fixture(scope="session")
def redis_servers(embedded_services: None) -> Iterator[dict[str, "redis.Redis"]]:
    """A client of each Redis server of this run, by its name (embedded.REDIS_NAMES).

    They keep no snapshots. With snapshots, FLUSHALL waits until the disk has an empty one: three
    times before each test.
    """
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(
                redis.Redis.from_url(embedded.redis_url(settings.STOREFRONT_HOME, name))
            )
            for name in embedded.REDIS_NAMES
        }
        for server in servers.values():
            server.config_set("save", "")
        yield servers


@pytest.fixture(scope="session")
def redis_of_tests(redis_servers: dict[str, "redis.Redis"]) -> "redis.Redis":
    """A client of the Redis that holds the broker, the gateway circuit and the flash sales."""
    return redis_servers[embedded.REDIS]


@pytest.fixture(scope="session")
def empty_all_redis(redis_servers: dict[str, "redis.Redis"]) -> Callable[[], None]:
    """Empties every Redis: no cart, cached page, rate limit, task or flash sale is left."""

    def empty() -> None:
        for client in redis_servers.values():
            client.flushall()

    return empty


@pytest.fixture(autouse=True)
def empty_redis(empty_all_redis: Callable[[], None]) -> None:
    """Nothing of an earlier test."""
    empty_all_redis()
    rate_limits.begin_anew()
    active_sales.assume_none(seconds=3600)
    gate_counts.forget()
    shared_pages.forget()
    context_processors.shelves.forget()


@pytest.fixture
def alice(db: None) -> "User":
    """A customer with an account."""
    return make_alice()


@pytest.fixture(scope="session")
def live_stack(library_tables: str, pytestconfig: pytest.Config) -> Iterator["Stack"]:
    """All processes of the shop on free ports, with their own database, Redis and demo catalog.

    Its data stays from test to test: a journey uses its own products or buyers, and counts nothing
    that another journey could have changed.
    """
    from tools.stack import Stack

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
        pytestconfig.stash[SHARED_STACK] = stack
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
