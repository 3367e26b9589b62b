"""What stands between the shop and its servers, and loses what it is told to lose."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tools import embedded
from tools.faults.proxy import Proxy

DATABASE = "proxied"


@pytest.fixture(scope="module")
def database(embedded_services: None) -> Iterator[str]:
    """A database of this module's own, with one empty table."""
    home = settings.STOREFRONT_HOME
    embedded.drop_database(home, DATABASE)
    embedded.ensure_database(home, DATABASE)
    with embedded.connect(home, DATABASE) as connection:
        connection.execute("CREATE TABLE promise (text text)")
    yield DATABASE
    embedded.drop_database(home, DATABASE)


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    socket: Path = embedded.socket_folder(settings.STOREFRONT_HOME) / embedded.POSTGRES_SOCKET
    with Proxy(seed=7, postgres=socket) as running:
        yield running


def through(proxy: Proxy, *, patience: int = 5) -> "psycopg.Connection[tuple]":
    return psycopg.connect(
        f"postgresql://storefront@127.0.0.1:{proxy.port('postgres')}/{DATABASE}",
        sslmode="disable",
        gssencmode="disable",
        connect_timeout=patience,
    )


def promises() -> list[str]:
    with embedded.connect(settings.STOREFRONT_HOME, DATABASE) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM promise ORDER BY text")]


@pytest.fixture(autouse=True)
def no_promises(database: str) -> None:
    with embedded.connect(settings.STOREFRONT_HOME, DATABASE) as connection:
        connection.execute("TRUNCATE promise")


def test_passes_everything_on_when_it_is_well(proxy: Proxy) -> None:
    with through(proxy) as connection:
        connection.execute("INSERT INTO promise VALUES ('kept')")
    assert promises() == ["kept"]


def test_a_commit_whose_answer_is_lost_is_committed(proxy: Proxy) -> None:
    proxy.set("postgres", lose_commits=1.0)
    connection = through(proxy)
    connection.execute("INSERT INTO promise VALUES ('kept, unheard')")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    assert connection.broken
    assert promises() == ["kept, unheard"]
    assert proxy.commits_lost() == 1


def test_a_rollback_is_answered_while_commits_are_lost(proxy: Proxy) -> None:
    proxy.set("postgres", lose_commits=1.0)
    with through(proxy) as connection:
        connection.execute("INSERT INTO promise VALUES ('COMMIT, in words')")
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)
        connection.rollback()
    assert promises() == []


def test_a_reset_cuts_a_transaction_off_and_lets_new_ones_in(proxy: Proxy) -> None:
    connection = through(proxy)
    connection.execute("INSERT INTO promise VALUES ('never')")
    proxy.reset("postgres")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    with through(proxy) as another:
        another.execute("INSERT INTO promise VALUES ('afterwards')")
    assert promises() == ["afterwards"]


def test_a_delay_is_paid_for_every_question(proxy: Proxy) -> None:
    with through(proxy) as connection:
        proxy.set("postgres", delay_ms=200)
        began = time.monotonic()
        for _ in range(3):
            connection.execute("SELECT 1")
        assert time.monotonic() - began >= 0.6
        proxy.heal("postgres")


def test_frozen_it_takes_calls_and_answers_them_when_it_thaws(proxy: Proxy) -> None:
    proxy.set("postgres", frozen=True)
    with pytest.raises(psycopg.OperationalError):
        through(proxy, patience=2)
    proxy.heal("postgres")
    with through(proxy) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_refusing_it_hangs_up_on_who_is_there_and_on_who_calls(proxy: Proxy) -> None:
    connection = through(proxy)
    proxy.set("postgres", refusing=True)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        through(proxy)
    proxy.heal("postgres")
    through(proxy).close()
