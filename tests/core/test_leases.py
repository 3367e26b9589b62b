"""Claims under a lease, on two tables of their own: one with an epoch and one without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core import leases
from apps.core.leases import ALONE_AFTER, LeasedTable
from tests.failures.shoppers import changed
from tests.orders.purchases import at_once

LEASE = timedelta(seconds=30)
JOBS = LeasedTable(
    table="lease_jobs",
    key="id",
    key_type="int",
    claimable="state = 'open'",
    lease=LEASE,
    attempts_max=8,
    returning=("t.name",),
)
DONE = JOBS.release_statement("state = 'done'")
NOT_TRIED = JOBS.release_statement(
    "due_at = statement_timestamp() + %(wait)s, attempts = t.attempts - 1"
)
SAGAS = LeasedTable(
    table="lease_sagas",
    key="id",
    key_type="int",
    claimable="state = 'open'",
    lease=LEASE,
    epoch=True,
    unchanged={"step": "text"},
    fresh=("t.wish",),
)
WAITING = SAGAS.release_statement("due_at = NULL")
TABLES = """
    CREATE TABLE lease_jobs (
        id int PRIMARY KEY, name text NOT NULL DEFAULT '', state text NOT NULL DEFAULT 'open',
        attempts int NOT NULL DEFAULT 0, crashed_claims int NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON lease_jobs (due_at) WHERE state = 'open';
    CREATE TABLE lease_sagas (
        id int PRIMARY KEY, step text NOT NULL DEFAULT 'pay', state text NOT NULL DEFAULT 'open',
        wish text NOT NULL DEFAULT '',
        attempts int NOT NULL DEFAULT 0, crashed_claims int NOT NULL DEFAULT 0,
        epoch int NOT NULL DEFAULT 0, lease_until timestamptz, due_at timestamptz DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now());
"""


@pytest.fixture(autouse=True)
def tables(transactional_db: None) -> Iterator[None]:
    sql(TABLES)
    yield
    sql("DROP TABLE lease_jobs, lease_sagas")


def sql(statement: str, *given: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given or None)
        return cursor.fetchall() if cursor.description else []


def put(count: int, table: str = "lease_jobs") -> None:
    """Rows 1 … count; the first is due first."""
    sql(
        f"INSERT INTO {table} (id, due_at) SELECT n, now() - interval '1 hour' + n * interval '1 s'"
        f" FROM generate_series(1, {count}) n"
    )


def end_leases(table: str = "lease_jobs") -> None:
    sql(f"UPDATE {table} SET due_at = clock_timestamp() WHERE due_at > clock_timestamp()")


def ids(rows: list[leases.Row]) -> list[int]:
    return sorted(row[0] for row in rows)


def test_claim_takes_what_is_due_first_in_one_statement() -> None:
    put(5)
    sql("UPDATE lease_jobs SET name = 'post', attempts = 3 WHERE id = 1")
    sql("UPDATE lease_jobs SET due_at = now() + interval '1 minute' WHERE id = 2")
    sql("UPDATE lease_jobs SET state = 'done' WHERE id = 3")

    with CaptureQueriesContext(connection) as queries:
        rows = JOBS.claim(limit=2)

    assert len(queries) == 1
    ((_, due_at),) = sql("SELECT id, due_at FROM lease_jobs WHERE id = 1")
    assert sorted(rows) == [(1, due_at, 4, "post"), (4, due_at, 1, "")]
    assert sql("SELECT id, attempts FROM lease_jobs ORDER BY id") == [
        *[(1, 4), (2, 0), (3, 0), (4, 1), (5, 0)]
    ]


def test_row_whose_worker_died_is_due_when_the_lease_ends() -> None:
    put(1)
    JOBS.claim(limit=9)
    assert JOBS.claim(limit=9) == []

    end_leases()

    ((key, _, attempts, _),) = JOBS.claim(limit=9)
    assert (key, attempts) == (1, 2)


def test_attempts_end_and_the_last_one_can_still_be_released() -> None:
    put(2)
    sql("UPDATE lease_jobs SET attempts = 8 - id")

    rows = JOBS.claim(limit=9)

    assert sorted((key, attempts) for key, _, attempts, _ in rows) == [(1, 8), (2, 7)]
    end_leases()
    ((key, fence, attempts, _),) = JOBS.claim(limit=9)
    assert (key, attempts) == (2, 8)
    assert JOBS.write(DONE, [(key, fence)]) == 1


def test_doubling_lease_is_its_own_back_off() -> None:
    table = LeasedTable(
        table="lease_jobs",
        key="id",
        key_type="int",
        claimable="state = 'open'",
        lease=LEASE,
        doubling=True,
    )
    put(3)
    sql("UPDATE lease_jobs SET attempts = id - 1")

    table.claim(limit=9)

    waits = sql(
        "SELECT id, round(extract(epoch FROM due_at - statement_timestamp())) FROM lease_jobs"
        " ORDER BY id"
    )
    assert waits == [(1, 30), (2, 60), (3, 120)]


# --- Several workers ----------------------------------------------------------------------------


def claimed_by_four(table: LeasedTable) -> list[int]:
    def work(_: int) -> list[int]:
        mine = []
        while rows := table.claim(limit=3):
            mine += ids(rows)
            if len(mine) > 40:  # no other claim keeps this one from its rows
                break
        return mine

    return sorted(key for mine in at_once(4, work) for key in mine)


@pytest.mark.race
@pytest.mark.parametrize("table", [JOBS, SAGAS], ids=["due_at", "epoch"])
def test_no_two_workers_get_one_row(table: LeasedTable) -> None:
    put(40, table.table)
    assert claimed_by_four(table) == list(range(1, 41))


@pytest.mark.race
def test_control_without_a_lease_they_get_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    put(40)
    unclaimed = changed(
        JOBS.claim_statement,
        ("due_at = statement_timestamp() + %(lease)s", "due_at = t.due_at"),
        (f"(crashed_claims >= {ALONE_AFTER}) = %(crashed)s", "NOT %(crashed)s"),
        ("attempts < 8", "true"),
        ("FOR UPDATE SKIP LOCKED", ""),
    )
    monkeypatch.setattr(JOBS, "claim_statement", unclaimed)
    claimed = claimed_by_four(JOBS)
    assert len(claimed) > len(set(claimed))


@pytest.mark.race
def test_claim_does_not_wait_for_a_row_that_is_locked() -> None:
    put(3)
    locked, over = threading.Event(), threading.Event()

    def work(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                sql("SELECT id FROM lease_jobs WHERE id = 2 FOR UPDATE")
                locked.set()
                assert over.wait(10)
            return
        assert locked.wait(10)
        try:
            sql("SET lock_timeout = '200ms'")
            with pytest.raises(OperationalError, match="lock timeout"):  # the control
                waiting = changed(JOBS.claim_statement, ("SKIP LOCKED", ""))
                leases.sql.fetch(waiting, {"limit": 9, "crashed": False, "lease": LEASE})
            assert ids(JOBS.claim(limit=9)) == [1, 3]
        finally:
            over.set()

    assert at_once(2, work) == [None, None]


def test_limit_holds_also_where_the_planner_would_run_a_subquery_once_for_each_row() -> None:
    """It does so when it expects few rows; here its statistics say so."""
    put(10)
    for setting in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
        sql(f"SET enable_{setting} = off")
    try:
        with transaction.atomic():
            trapped = sql("""
                UPDATE lease_jobs SET due_at = now() + interval '30 s' WHERE id IN (
                    SELECT id FROM lease_jobs WHERE state = 'open' AND due_at <= now()
                    ORDER BY due_at LIMIT 3 FOR UPDATE SKIP LOCKED)
                RETURNING id
            """)
            transaction.set_rollback(True)
        assert len(trapped) == 10, "the control: a limit of 3"

        assert ids(JOBS.claim(limit=3)) == [1, 2, 3]
    finally:
        sql("RESET ALL")


# --- A lost lease -------------------------------------------------------------------------------


def everything(table: LeasedTable) -> list[tuple[Any, ...]]:
    return sql(f"SELECT * FROM {table.table} ORDER BY id")


def test_lost_lease_releases_nothing() -> None:
    put(1)
    ((key, old, *_),) = JOBS.claim(limit=1)
    end_leases()
    ((_, new, *_),) = JOBS.claim(limit=1)
    before = everything(JOBS)

    assert JOBS.write(DONE, [(key, old)]) == 0

    assert everything(JOBS) == before
    assert JOBS.write(DONE, [(key, new)]) == 1


def test_claim_that_another_gave_back_meanwhile_is_lost() -> None:
    """Its count of attempts is the old one again; the fence is not."""
    put(1)
    ((key, old, attempts, _),) = JOBS.claim(limit=1)
    end_leases()
    ((_, new, *_),) = JOBS.claim(limit=1)
    assert JOBS.write(NOT_TRIED, [(key, new)], wait=timedelta(0)) == 1
    assert sql("SELECT attempts FROM lease_jobs") == [(attempts,)]

    assert JOBS.write(DONE, [(key, old)]) == 0


def test_row_that_is_final_is_written_no_more() -> None:
    put(1)
    ((key, fence, *_),) = JOBS.claim(limit=1)
    assert JOBS.write(DONE, [(key, fence)]) == 1
    assert JOBS.write(NOT_TRIED, [(key, fence)], wait=LEASE) == 0


def test_lost_epoch_neither_locks_nor_renews_nor_releases() -> None:
    put(1, "lease_sagas")
    ((key, old, _),) = SAGAS.claim(limit=1)
    end_leases("lease_sagas")
    ((_, new, _),) = SAGAS.claim(limit=1)
    assert (old, new) == (1, 2)
    before = everything(SAGAS)

    with transaction.atomic():
        assert SAGAS.still_ours([(key, old, "pay")]) == []
    assert SAGAS.renew([(key, old)]) == 0
    assert SAGAS.write(WAITING, [(key, old)]) == 0

    assert everything(SAGAS) == before
    with transaction.atomic():
        assert SAGAS.still_ours([(key, new, "pay")]) == [(key, "")]


def test_claim_that_was_released_is_ours_no_more_though_its_epoch_is() -> None:
    put(1, "lease_sagas")
    ((key, epoch, _),) = SAGAS.claim(limit=1)
    assert SAGAS.write(WAITING, [(key, epoch)]) == 1
    before = everything(SAGAS)

    with transaction.atomic():
        assert SAGAS.still_ours([(key, epoch, "pay")]) == []
    assert SAGAS.renew([(key, epoch)]) == 0
    assert SAGAS.write(WAITING, [(key, epoch)]) == 0

    assert everything(SAGAS) == before


def test_write_whose_commit_was_not_answered_is_not_made_again() -> None:
    """The claim goes on with the next step, under the same epoch."""
    put(1, "lease_sagas")
    ((key, epoch, _),) = SAGAS.claim(limit=1)
    sql("UPDATE lease_sagas SET step = 'ship', wish = 'cancel'")
    with transaction.atomic():
        assert SAGAS.still_ours([(key, epoch, "pay")]) == []
        assert SAGAS.still_ours([(key, epoch, "ship")]) == [(key, "cancel")]


@pytest.mark.race
def test_what_is_still_ours_is_locked_until_the_commit() -> None:
    put(2, "lease_sagas")
    ours = [(key, epoch, "pay") for key, epoch, _ in SAGAS.claim(limit=2)]
    nowait = "SELECT id FROM lease_sagas FOR UPDATE NOWAIT"
    with transaction.atomic():
        assert SAGAS.still_ours(reversed(ours)) == [(1, ""), (2, "")], "by ascending key"
        (answer,) = at_once(1, lambda _: sql(nowait))
        assert isinstance(answer, OperationalError)
    assert at_once(1, lambda _: len(sql(nowait))) == [2]


def test_renewed_lease_keeps_others_away() -> None:
    put(1, "lease_sagas")
    ((key, epoch, _),) = SAGAS.claim(limit=1)
    end_leases("lease_sagas")

    assert SAGAS.renew([(key, epoch)]) == 1

    assert SAGAS.claim(limit=1) == []
    assert sql("SELECT lease_until = due_at, due_at > now() FROM lease_sagas") == [(True, True)]


# --- Crashed claims -----------------------------------------------------------------------------


def crash(table: LeasedTable, times: int = ALONE_AFTER) -> None:
    for _ in range(times):
        assert table.claim(limit=99)
        end_leases(table.table)


def release(table: LeasedTable, row: leases.Row) -> None:
    statement: Callable[[str], str] = table.release_statement
    assert table.write(statement("due_at = clock_timestamp()"), [row[:2]]) == 1


@pytest.mark.parametrize("table", [JOBS, SAGAS], ids=["due_at", "epoch"])
def test_rows_whose_claims_crashed_are_claimed_alone(table: LeasedTable) -> None:
    put(3, table.table)
    crash(table)
    sql(f"INSERT INTO {table.table} (id) VALUES (4)")

    rounds = [
        [ids(table.claim(limit=most, crashed=crashed)) for most, crashed in leases.one_round(50)]
        for _ in range(4)
    ]

    assert rounds == [[[4], [1]], [[], [2]], [[], [3]], [[], []]]


@pytest.mark.parametrize("table", [JOBS, SAGAS], ids=["due_at", "epoch"])
def test_row_that_got_a_result_is_claimed_with_the_others_again(table: LeasedTable) -> None:
    put(1, table.table)
    crash(table)
    (row,) = table.claim(limit=1, crashed=True)

    release(table, row)

    assert table.claim(limit=1, crashed=True) == []
    assert ids(table.claim(limit=1)) == [1]


def test_row_with_one_crashed_claim_is_claimed_with_the_others() -> None:
    put(2)
    crash(JOBS, times=1)
    assert ids(JOBS.claim(limit=50)) == [1, 2]


def test_renewing_is_no_result() -> None:
    put(1, "lease_sagas")
    crash(SAGAS)
    ((key, epoch, _),) = SAGAS.claim(limit=1, crashed=True)
    SAGAS.renew([(key, epoch)])
    end_leases("lease_sagas")

    assert SAGAS.claim(limit=1) == []
    assert len(SAGAS.claim(limit=1, crashed=True)) == 1


def test_crashed_row_is_claimed_also_under_a_load_that_never_stops() -> None:
    """A row whose worker was killed for another reason must not wait for a flash sale to end."""
    put(1)
    crash(JOBS)
    sql(
        "INSERT INTO lease_jobs (id, due_at) SELECT n, now() - '1 day'::interval"
        " FROM generate_series(2, 9) n"
    )

    batch, alone = [
        ids(JOBS.claim(limit=most, crashed=crashed)) for most, crashed in leases.one_round(2)
    ]

    assert (len(batch), alone) == (2, [1])
