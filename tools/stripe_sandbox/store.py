"""What the sandbox remembers: SQLite behind a bounded cache, written in group commits.

Owns `$STOREFRONT_HOME/sandbox.sqlite3`. Everything runs on the one event loop, so between two
awaits no other request changes anything: operations need no locks. Changes are collected and
written together every few milliseconds, and an answer leaves only after `committed()`, so whatever
a client was told survives a kill -9 of the sandbox. `synchronous=OFF`: a power cut may lose the
last moments, which a development stand-in may.

Blobs are JSON packed with zstd and a dictionary kept in the file itself; an object takes about an
eighth of its plain size, which is what keeps an hour of load test on the disk, and 3 µs (zlib: 60).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

_COMMIT_EVERY_S = 0.005
_CACHED_RECORDS = 20_000
_LEVEL = -1  # of compression: the fastest; with a dictionary, higher levels save nothing more

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    parent TEXT,
    data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS records_by_kind ON records (kind, seq, created);
CREATE INDEX IF NOT EXISTS records_by_parent ON records (parent, kind) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS intent_metadata (
    key TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (value, key, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    stored_at REAL NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    event_id TEXT NOT NULL, endpoint_id TEXT NOT NULL,
    attempt INTEGER NOT NULL, due_at REAL NOT NULL,
    PRIMARY KEY (event_id, endpoint_id)
) WITHOUT ROWID;
"""

_UPSERT_RECORD = (
    "INSERT INTO records (seq, id, kind, created, parent, data) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET data = excluded.data"
)
INSERT_METADATA = "INSERT OR IGNORE INTO intent_metadata (key, value, id) VALUES (?, ?, ?)"
DELETE_METADATA = "DELETE FROM intent_metadata WHERE value = ? AND key = ? AND id = ?"
UPSERT_ANSWER = (
    "INSERT OR REPLACE INTO answers "
    "(key, path, fingerprint, status, request_id, stored_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
UPSERT_DELIVERY = (
    "INSERT OR REPLACE INTO deliveries (event_id, endpoint_id, attempt, due_at) VALUES (?, ?, ?, ?)"
)
DELETE_DELIVERY = "DELETE FROM deliveries WHERE event_id = ? AND endpoint_id = ?"


@dataclass(slots=True)
class Record:
    """One Stripe object. `shown` is what the API answers, `kept` what only the sandbox knows."""

    seq: int
    id: str
    kind: str
    created: int
    parent: str | None
    shown: dict[str, Any]
    kept: dict[str, Any]


class Store:
    def __init__(self, path: Path, *, dictionary: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
            "PRAGMA wal_autocheckpoint=4000;" + _SCHEMA
        )
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('dictionary', ?)", (dictionary,))
        (kept,) = self._db.execute("SELECT value FROM meta WHERE name = 'dictionary'").fetchone()
        in_common = zstandard.ZstdCompressionDict(kept, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        in_common.precompute_compress(level=_LEVEL)
        self._packer = zstandard.ZstdCompressor(level=_LEVEL, dict_data=in_common)
        self._unpacker = zstandard.ZstdDecompressor(dict_data=in_common)
        self._inflate = zlib.decompressobj(zdict=kept)  # files of an earlier release, before zstd
        (self._seq,) = self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM records").fetchone()
        self._cache: OrderedDict[str, Record] = OrderedDict()
        self._dirty: dict[str, Record] = {}
        self._statements: dict[str, list[tuple[Any, ...]]] = {}
        self._commit: asyncio.Future[None] | None = None

    # -- records ---------------------------------------------------------------------------

    def add(
        self,
        kind: str,
        shown: dict[str, Any],
        *,
        kept: dict[str, Any] | None = None,
        parent: str | None = None,
    ) -> Record:
        self._seq += 1
        record = Record(
            self._seq, shown["id"], kind, shown.get("created", 0), parent, shown, kept or {}
        )
        self._cache[record.id] = record
        self._dirty[record.id] = record
        return record

    def changed(self, record: Record) -> None:
        self._dirty[record.id] = record
        self._cache[record.id] = record

    def get(self, id: str, kind: str) -> Record | None:
        record = self._cache.get(id)
        if record is None:
            row = self._db.execute(
                "SELECT seq, id, kind, created, parent, data FROM records WHERE id = ?", (id,)
            ).fetchone()
            if row is None:
                return None
            record = self._load(row)
        return record if record.kind == kind else None

    def delete(self, record: Record) -> None:
        self.flush()
        self._cache.pop(record.id, None)
        self._db.execute("DELETE FROM records WHERE id = ?", (record.id,))

    def newest(
        self,
        kind: str,
        *,
        limit: int,
        created: dict[str, int] | None = None,
        parent: str | None = None,
        before: Record | None = None,
        after: Record | None = None,
        matching: Callable[[Record], bool] | None = None,
    ) -> tuple[list[Record], bool]:
        """A page, newest first, and whether there is more.

        `before` and `after` are cursors by age: older than, younger than. `matching` filters
        what the index cannot.
        """
        self.flush()
        where, values = ["kind = ?"], [kind]
        for operator, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
            if created and operator in created:
                where.append(f"created {sign} ?")
                values.append(created[operator])  # type: ignore[arg-type]
        if parent is not None:
            where.append("parent = ?")
            values.append(parent)
        if before is not None:
            where.append("seq < ?")
            values.append(before.seq)  # type: ignore[arg-type]
        if after is not None:
            where.append("seq > ?")
            values.append(after.seq)  # type: ignore[arg-type]
        order = "ASC" if after is not None else "DESC"
        sql = (
            "SELECT seq, id, kind, created, parent, data FROM records "  # noqa: S608
            f"WHERE {' AND '.join(where)} ORDER BY seq {order}"
        )
        if matching is None:
            sql += f" LIMIT {limit + 1}"
        found: list[Record] = []
        for row in self._db.execute(sql, values):
            record = self._cache.get(row[1]) or self._unpacked(row)
            if matching is None or matching(record):
                found.append(record)
                if len(found) > limit:
                    break
        more = len(found) > limit
        found = found[:limit]
        if after is not None:
            found.reverse()
        return found, more

    def oldest(self, kind: str, *, after_seq: int, limit: int) -> list[Record]:
        """Records in order of creation, for the summary that audits read."""
        self.flush()
        rows = self._db.execute(
            "SELECT seq, id, kind, created, parent, data FROM records "
            "WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?",
            (kind, after_seq, limit),
        )
        return [self._cache.get(row[1]) or self._unpacked(row) for row in rows]

    def counts(self) -> dict[str, int]:
        self.flush()
        return dict(self._db.execute("SELECT kind, COUNT(*) FROM records GROUP BY kind"))

    def ids_by_metadata(self, key: str, value: str) -> list[str]:
        self.flush()
        rows = self._db.execute(
            "SELECT id FROM intent_metadata WHERE value = ? AND key = ?", (value, key)
        )
        return [id for (id,) in rows]

    # -- answers and deliveries ------------------------------------------------------------

    def answer(self, key: str) -> tuple[str, bytes, int, str, float, bytes] | None:
        """path, fingerprint, status, request id, stored at, body of a remembered answer."""
        if UPSERT_ANSWER in self._statements:
            self.flush()
        row = self._db.execute(
            "SELECT path, fingerprint, status, request_id, stored_at, body FROM answers "
            "WHERE key = ?",
            (key,),
        ).fetchone()
        return None if row is None else (*row[:5], self.unpack(row[5]))

    def forget_answers(self, *, stored_before: float) -> int:
        self.flush()
        return self._db.execute(
            "DELETE FROM answers WHERE stored_at < ?", (stored_before,)
        ).rowcount

    def deliveries(self) -> Iterator[tuple[str, str, int, float]]:
        self.flush()
        yield from self._db.execute(
            "SELECT event_id, endpoint_id, attempt, due_at FROM deliveries ORDER BY due_at"
        ).fetchall()

    # -- writing ---------------------------------------------------------------------------

    def execute_later(self, sql: str, *values: Any) -> None:
        """Run a statement with the next group commit."""
        self._statements.setdefault(sql, []).append(values)

    def commit_soon(self) -> asyncio.Future[None]:
        """Have everything changed so far written with the next group commit."""
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_later(_COMMIT_EVERY_S, self._commit_now, self._commit)
        return self._commit

    async def committed(self) -> None:
        """Return once everything changed so far is in the file."""
        await asyncio.shield(self.commit_soon())

    def _commit_now(self, commit: asyncio.Future[None]) -> None:
        self._commit = None
        try:
            self.flush()
        except sqlite3.Error as error:
            commit.set_exception(error)
        else:
            commit.set_result(None)

    def flush(self) -> None:
        if not self._dirty and not self._statements:
            return
        dirty, self._dirty = self._dirty, {}
        statements, self._statements = self._statements, {}
        self._db.execute("BEGIN")
        if dirty:
            self._db.executemany(_UPSERT_RECORD, [self._row(record) for record in dirty.values()])
        for sql, values in statements.items():
            self._db.executemany(sql, values)
        self._db.execute("COMMIT")
        while len(self._cache) > _CACHED_RECORDS:
            self._cache.popitem(last=False)

    def reset(self, *, keep_kinds: tuple[str, ...]) -> None:
        self.flush()
        self._cache.clear()
        marks = ", ".join("?" * len(keep_kinds))
        self._db.execute(
            f"DELETE FROM records WHERE kind NOT IN ({marks})",  # noqa: S608
            keep_kinds,
        )
        for table in ("intent_metadata", "answers", "deliveries"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608

    def close(self) -> None:
        self.flush()
        self._db.close()

    # -- packing ---------------------------------------------------------------------------

    def pack(self, plain: bytes) -> bytes:
        return self._packer.compress(plain)

    def unpack(self, packed: bytes) -> bytes:
        if packed.startswith(zstandard.FRAME_HEADER):
            return self._unpacker.decompress(packed)
        return self._inflate.copy().decompress(packed)

    def _row(self, record: Record) -> tuple[Any, ...]:
        data = self.pack(orjson.dumps([record.shown, record.kept]))
        return record.seq, record.id, record.kind, record.created, record.parent, data

    def _load(self, row: tuple[Any, ...]) -> Record:
        record = self._unpacked(row)
        self._cache[record.id] = record
        return record

    def _unpacked(self, row: tuple[Any, ...]) -> Record:
        seq, id, kind, created, parent, data = row
        shown, kept = orjson.loads(self.unpack(data))
        return Record(seq, id, kind, created, parent, shown, kept)


class Clock:
    """The time by which idempotency keys age. Advancing it changes nothing else."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.key_age_s = 24 * 3600.0

    def now(self) -> float:
        return time.time() + self.ahead_s
