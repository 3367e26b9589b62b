"""Claims due rows of a table under a lease: a table as a queue that many workers share.

A claim is one statement, which

    1. locks due rows with SKIP LOCKED, so that workers do not wait for each other,
    2. sets `due_at` to the end of the lease: until then no other worker finds the row due,
    3. counts the attempt, so that a row that kills its worker also runs out of attempts,
    4. returns key, fence and attempts of each row, and the columns that the owner asks for.

The rows of a worker that dies fall due again when the lease ends.

**The fence** tells one claim of a row from the next. It is the row's `epoch`, which rises with
each claim, where the table has one. Else it is `due_at` as the claim set it: each claim sets a
later one. A worker that continues after its lease has ended, while another has claimed the row,
holds an old fence and writes nothing.

**Crashed claims** are the consecutive claims of a row that ended without a result. From ALONE_AFTER
on the row is claimed alone: it may be what kills the workers, and must not fail other rows. Or its
worker was killed for another reason. Therefore each round claims one such row, also under a load
that never stops (`one_round`). Whatever ends a claim with a result sets `crashed_claims` to 0;
`release_statement` includes it.

    DONE = JOBS.release_statement("state = 'done'")  # JOBS is a LeasedTable
    for limit, crashed in one_round(100):
        for key, fence, attempts in JOBS.claim(limit=limit, crashed=crashed):
            work(key)
            JOBS.write(DONE, [(key, fence)])

All times are the database's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from apps.core import sql

ALONE_AFTER = 2  # crashed claims
LEASE_ENDS = "statement_timestamp() + %(lease)s"
Row = tuple[Any, ...]


def one_round(limit: int) -> tuple[tuple[int, bool], tuple[int, bool]]:
    """The two claims of a round, each as (limit, crashed): a batch, then one crashed row alone."""
    return (limit, False), (1, True)


@dataclass(kw_only=True)
class LeasedTable:
    """The statements that claim due rows of one table and end those claims.

    The table has the columns `due_at` (timestamptz), `crashed_claims` (int) and one that counts
    attempts. All texts are SQL written by a developer, never input; a `%` in them is `%%`.

    table, key, key_type: its name, its primary key and the SQL type of that.
    claimable: a condition on bare column names: the row is not final. A fenced write skips rows
        that are.
    attempts, attempts_max: the column that counts attempts, and from how many on a row is no longer
        claimed. None: the owner decides by the attempts that a claim returns.
    lease: how long a claim lasts. With `doubling` that times 2 ** earlier attempts: the lease is
        the back-off as well.
    returning: columns or expressions of `t` that a claim returns after key, fence and attempts.
    order_by: which rows are first. A partial index on it, where claimable, keeps claims fast.
    epoch: the table also has `epoch` (int), `lease_until` (NULL when no worker holds the row) and
        `updated_at` (timestamptz). What follows, `renew` and `still_ours` are for such a table.
    unchanged: column to SQL type: what `still_ours` finds as it was when it was claimed.
    fresh: columns or expressions of `t` that `still_ours` returns after the key.
    """

    table: str
    key: str
    key_type: str
    claimable: str
    lease: timedelta
    doubling: bool = False
    returning: Sequence[str] = ()
    order_by: str = "due_at"
    attempts: str = "attempts"
    attempts_max: int | None = None
    epoch: bool = False
    unchanged: Mapping[str, str] = field(default_factory=dict)
    fresh: Sequence[str] = ()

    def claim(self, *, limit: int, crashed: bool = False, **parameters: Any) -> list[Row]:
        """Claim up to `limit` due rows; with `crashed`, of those that are to be claimed alone.

        `parameters` are those that `claimable` and `returning` name. Returns (key, fence, attempts,
        *returning) for each, in no order.
        """
        values = {"limit": limit, "crashed": crashed, "lease": self.lease}
        return sql.fetch(self.claim_statement, values | parameters)

    def renew(self, claims: Iterable[tuple[Any, Any]]) -> int:
        """Begin the leases of `claims`, as (key, fence), anew; how many were still held."""
        return self.write(self.renew_statement, claims, lease=self.lease)

    def still_ours(self, claims: Iterable[Row]) -> list[Row]:
        """Lock the rows whose claim is still ours, in the caller's transaction.

        `claims` as (key, fence, *unchanged). Returns (key, *fresh) for each, locked by ascending
        key, so that two workers cannot deadlock. A lost lease gets no row, and so nothing is
        written. Nor does a row whose `unchanged` columns differ: the write was made before, and
        only the answer to its COMMIT was lost.
        """
        names = ("claimed_key", "claimed_fence", *(f"claimed_{name}" for name in self.unchanged))
        document = sql.document(dict(zip(names, claim, strict=True)) for claim in claims)
        return sql.fetch(self.still_ours_statement, [document])

    def write(self, statement: str, claims: Iterable[tuple[Any, Any]], **parameters: Any) -> int:
        """Run a fenced statement for `claims`, as (key, fence); how many rows it wrote."""
        keys, fences = [], []
        for key, fence in claims:
            keys.append(key)
            fences.append(fence)
        return sql.run(statement, {"keys": keys, "fences": fences} | parameters)

    def release_statement(self, assignments: str) -> str:
        """The fenced statement that ends claims with a result, for `write`.

        `assignments` is what stands after SET, `t` being the row: the state that is final, or when
        the row is due again and whether the attempt counts. Where it leaves `due_at` alone, that
        is the end of the lease.
        """
        held = ", lease_until = NULL" if self.epoch else ""
        return self._fenced(f"{assignments}, crashed_claims = 0{held}")

    @cached_property
    def claim_statement(self) -> str:
        # Not a subquery: PostgreSQL may run one once for each row of the table (when it believes
        # that there are few), and then claims more than the limit.
        ends = LEASE_ENDS + (f" * 2 ^ t.{self.attempts}" if self.doubling else "")
        returned = ", ".join((f"t.{self.key}", self._fence, f"t.{self.attempts}", *self.returning))
        left = "" if self.attempts_max is None else f" AND {self.attempts} < {self.attempts_max}"
        hold = f", epoch = t.epoch + 1, lease_until = {ends}, updated_at = now()"
        return f"""
            WITH due AS MATERIALIZED (
                SELECT {self.key} FROM {self.table}
                WHERE {self.claimable}{left} AND due_at <= statement_timestamp()
                  AND (crashed_claims >= {ALONE_AFTER}) = %(crashed)s
                ORDER BY {self.order_by} LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            UPDATE {self.table} t
            SET {self.attempts} = t.{self.attempts} + 1, crashed_claims = t.crashed_claims + 1,
                due_at = {ends}{hold if self.epoch else ""}
            FROM due WHERE t.{self.key} = due.{self.key}
            RETURNING {returned}
        """  # noqa: S608

    @cached_property
    def renew_statement(self) -> str:
        return self._fenced(f"lease_until = {LEASE_ENDS}, due_at = {LEASE_ENDS}")

    @cached_property
    def still_ours_statement(self) -> str:
        record = "".join(f", claimed_{name} {kind}" for name, kind in self.unchanged.items())
        same = "".join(f" AND t.{name} = claimed_{name}" for name in self.unchanged)
        return f"""
            SELECT {", ".join((f"t.{self.key}", *self.fresh))}
            FROM {self.table} t
            JOIN json_to_recordset(%s::json) AS claimed(
                claimed_key {self.key_type}, claimed_fence {self._fence_type}{record})
              ON t.{self.key} = claimed_key AND {self._fence} = claimed_fence{same}
            WHERE {self._held}
            ORDER BY t.{self.key} FOR UPDATE OF t
        """  # noqa: S608

    def _fenced(self, assignments: str) -> str:
        return f"""
            UPDATE {self.table} t SET {assignments}
            FROM unnest(%(keys)s::{self.key_type}[], %(fences)s::{self._fence_type}[])
                AS claimed(claimed_key, claimed_fence)
            WHERE t.{self.key} = claimed_key AND {self._fence} = claimed_fence AND {self._held}
        """  # noqa: S608

    @property
    def _held(self) -> str:
        return self.claimable + (" AND t.lease_until IS NOT NULL" if self.epoch else "")

    @property
    def _fence(self) -> str:
        return "t.epoch" if self.epoch else "t.due_at"

    @property
    def _fence_type(self) -> str:
        return "int" if self.epoch else "timestamptz"
