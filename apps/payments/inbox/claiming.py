"""A row of the inbox under a lease: claimed, read, and marked with what the event came to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from apps.core import sql
from apps.core.leases import LeasedTable
from apps.payments.inbox.verdicts import OPEN, Verdict

LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 8

INBOX = LeasedTable(
    table="payments_webhookinbox",
    key="event_id",
    key_type="text",
    claimable="state = 'received'",
    lease=LEASE,
    returning=("t.type", "t.payload"),
)
# Without a fence: the verdict about an event is true, whichever worker holds the claim by now. With
# a fence, a worker that is always slower than its lease would never finish an event.
MARK = """
    UPDATE payments_webhookinbox w
    SET state = n.state, error = n.error, processed_at = now(), due_at = now(), crashed_claims = 0,
        -- An earlier decision about it no longer holds: it is an open case again.
        resolution = CASE WHEN n.open THEN '' ELSE w.resolution END,
        resolved_by = CASE WHEN n.open THEN '' ELSE w.resolved_by END,
        resolved_at = CASE WHEN n.open THEN NULL ELSE w.resolved_at END
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bool[]) AS n(id, state, error, open)
    WHERE w.event_id = n.id AND w.state = 'received'
"""


@dataclass(frozen=True, slots=True)
class Event:
    """A claimed row. `attempts` counts this claim, too."""

    event_id: str
    type: str
    payload: Mapping[str, Any]
    attempts: int

    @property
    def object(self) -> Mapping[str, Any]:
        return self.payload["data"]["object"]


def claim(limit: int, *, crashed: bool) -> list[Event]:
    """Claim up to `limit` due rows; with `crashed`, of those that are claimed alone (leases.py)."""
    return [
        Event(event_id, kind, _parsed(payload), attempts)
        for event_id, _, attempts, kind, payload in INBOX.claim(limit=limit, crashed=crashed)
    ]


def mark(verdicts: Mapping[str, Verdict]) -> None:
    """End the claims of these events, by id, with what they came to; in the caller's transaction.

    A row that another worker has marked stays as it is.
    """
    if not verdicts:
        return
    sql.run(
        MARK,
        [
            list(verdicts),
            [str(verdict.state) for verdict in verdicts.values()],
            [verdict.error for verdict in verdicts.values()],
            [verdict.state in OPEN for verdict in verdicts.values()],
        ],
    )


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return json.loads(value)  # PostgreSQL keeps numbers of any length
